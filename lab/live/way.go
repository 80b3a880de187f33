package live

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// way is the last part of a request's way out of the generator: it makes of it what the
// scenario says that request number so and so is, and meters it.
//
// It knows a request by the number that vegeta gives it when it is due. (vegeta's own
// targeters deal targets out in the order in which its workers come for them, which is
// another in each run.)
type way struct {
	seen    *meter
	targets []scenario.Target // in turn; none: what comes, as it comes
	hosts   []string          // in turn; none: where it was going
}

// RoundTrip implements http.RoundTripper.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(r.Header.Get(backend.SeqHeader), 10, 63)
	if err != nil {
		return nil, err
	}
	if len(w.targets) > 0 {
		r = dressed(r, &w.targets[seq%uint64(len(w.targets))])
	}
	if n := uint64(len(w.hosts)); n > 0 {
		r = r.Clone(r.Context())
		r.URL.Host = w.hosts[seq%n]
	}
	return w.seen.RoundTrip(r)
}

// dressed is the request with the target's method, path, header and body. It goes where it
// was going: a target's own host is only where it was recorded.
func dressed(r *http.Request, t *scenario.Target) *http.Request {
	r = r.Clone(r.Context())
	r.Method = t.Method
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = t.URL.Path, t.URL.RawPath, t.URL.RawQuery
	for name, values := range t.Header {
		if http.CanonicalHeaderKey(name) == "Host" {
			r.Host = values[0]
			continue
		}
		r.Header[name] = values
	}
	if len(t.Body) > 0 {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(t.Body)), int64(len(t.Body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t.Body)), nil }
	}
	return r
}
