package proxy_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks the proxy for a path.
func (g *rig) get(t *testing.T, path string) answer {
	t.Helper()
	return g.do(t, g.request(t, http.MethodGet, path, nil))
}

func (g *rig) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (g *rig) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	got, err := g.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(body)}
}

// ask sends a request from another goroutine and returns where its answer will be.
func (g *rig) ask(t *testing.T, r *http.Request) <-chan answer {
	t.Helper()
	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		got, err := g.Client.Do(r)
		if err != nil {
			return
		}
		defer got.Body.Close()
		body, _ := io.ReadAll(got.Body)
		answers <- answer{got.StatusCode, got.Header, string(body)}
	}()
	return answers
}

// dial opens a connection to the proxy, for what http.Client would not send.
func (g *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	return witness.Dial(t, "tcp", strings.TrimPrefix(g.URL, "http://"))
}

func wantStatus(t *testing.T, got answer, want int) {
	t.Helper()
	if got.status != want {
		t.Fatalf("status: got %d, want %d; body %q", got.status, want, got.body)
	}
}

func wantCount[N int | int64 | float64](t *testing.T, what string, got, want N) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// count is the sum of the series of a metric whose labels include all the given ones,
// each written as name="value". It is read when every request has ended.
func (g *rig) count(t *testing.T, metric string, labels ...string) float64 {
	t.Helper()
	g.settled(t)
	return g.read(t, metric, labels...)
}

func (g *rig) read(t *testing.T, metric string, labels ...string) float64 {
	t.Helper()
	sum := 0.0
series:
	for line := range strings.Lines(g.scrape()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		base, rest, _ := strings.Cut(name, "{")
		if base != metric {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue series
			}
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += v
	}
	return sum
}

func (g *rig) scrape() string {
	w := httptest.NewRecorder()
	g.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}
