package proxy

import (
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/evenkeel/evenkeel/core/explain"
)

// Headers that belong to one connection. ReverseProxy removes them, and whatever
// Connection names, from what the client sends and from the final answer. It leaves them
// in interim answers, and trailers alone.
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// dropHopByHop removes what belongs to a connection.
func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// settle leaves of a request's header what it may mean.
func settle(r *http.Request) {
	h := r.Header
	if len(h["Upgrade"]) > 0 && !upgrades(r) {
		delete(h, "Upgrade") // a server need not heed it (RFC 9110, section 7.8)
	}
	delete(h, "Http2-Settings")
	if r.ContentLength == 0 || r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		delete(h, "Expect") // there is nothing to wait for; not to be heeded (section 10.1.1)
	}
	if r.Trailer != nil {
		maps.DeleteFunc(r.Trailer, func(name string, _ []string) bool { return !mayTrail(name) })
		r.Body = trailing{r.Body, r.Trailer}
	}
}

// trim takes the white space around values away, which HTTP/1 does not count and HTTP/2 must
// not have (RFC 9113, section 8.2.1): an endpoint with HTTP/2 might refuse the request, and
// that would be held against it.
func trim(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			values[i] = strings.Trim(v, " \t")
		}
	}
}

// upgrades reports whether a request's wish for another protocol is passed on. HTTP/1.0
// has none. Another version of HTTP would carry requests past the proxy, and TLS would
// blind it. And where a body comes first, both sides would have to agree about where it
// ends.
func upgrades(r *http.Request) bool {
	to := r.Header["Upgrade"]
	if len(to) != 1 || r.ProtoMajor != 1 || r.ProtoMinor == 0 || r.ContentLength != 0 {
		return false
	}
	name, version, versioned := strings.Cut(strings.ToLower(to[0]), "/")
	if !token(name) || versioned && !token(version) { // of a list, too
		return false
	}
	return name != "h2c" && name != "h2" && name != "http" && name != "tls"
}

// mayTrail reports whether a header may stand in a trailer: nothing that frames or
// routes the message, says who the client is or how the body is to be read (RFC 9110,
// section 6.5.1), since who has read the head has decided by then.
func mayTrail(name string) bool {
	if speaks(name) {
		return false
	}
	switch name {
	case "Accept", "Age", "Authorization", "Cache-Control", "Connection", "Content-Encoding",
		"Content-Length", "Content-Range", "Content-Type", "Cookie", "Date", "Expect", "Expires", "Host",
		"Keep-Alive", "Location", "Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Range", "Retry-After", "Set-Cookie", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Vary", "Warning",
		"Www-Authenticate", explain.AskHeader:
		return false
	}
	return token(name)
}

// trailing is a request's body whose trailer is looked through when it has come, before
// anybody sends it on.
type trailing struct {
	io.ReadCloser
	trailer http.Header
}

func (t trailing) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF {
		maps.DeleteFunc(t.trailer, func(name string, _ []string) bool { return !mayTrail(name) })
	}
	return n, err
}

// announce leaves of the trailers that an answer announces those that may be. What is not
// announced by name, net/http does not send.
func announce(h http.Header) {
	var names []string
	for _, line := range h["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); mayTrail(http.CanonicalHeaderKey(name)) {
				names = append(names, name)
			}
		}
	}
	delete(h, "Trailer")
	if len(names) > 0 {
		h["Trailer"] = names
	}
}

// dropTrailers removes from an answer's trailers what may not stand there. It is for the
// end of the answer, when ReverseProxy has put them where net/http looks for them.
func dropTrailers(h http.Header) {
	for name := range h {
		if plain, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && !mayTrail(http.CanonicalHeaderKey(plain)) {
			delete(h, name)
		}
	}
}
