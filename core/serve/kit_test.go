package serve_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse reads a configuration whose listeners are on ports that the system chooses.
// extra goes on at the top level, pool within the only pool.
func parse(t *testing.T, backend, listener, extra, pool string) *config.File {
	t.Helper()
	text := fmt.Sprintf(`
version: 1
listeners: [{address: "127.0.0.1:0"%s}]
admin: {address: "127.0.0.1:0"}
%s
pools:
  - name: web
    strategy: round-robin
    endpoints: [{url: "%s"}]
%s
`, listener, extra, backend, pool)
	file, err := config.Parse("test", []byte(text))
	if err != nil {
		t.Fatalf("%v in%s", err, text)
	}
	return file
}

// backend starts a backend and returns its URL.
func backend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// server is a Server at work.
type server struct {
	*serve.Server
	stop, kill func()
	done       chan error // how Run ended
	client     *http.Client
}

func options() serve.Options {
	return serve.Options{Assemble: adaptive.Build, Version: "test", Log: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, file *config.File) *server {
	t.Helper()
	return startWith(t, file, options())
}

func startWith(t *testing.T, file *config.File, o serve.Options) *server {
	t.Helper()
	built, err := serve.New(file, o)
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := context.WithCancel(context.Background())
	kill, killed := context.WithCancel(context.Background())
	s := &server{built, stopped, killed, make(chan error, 1), &http.Client{Transport: &http.Transport{}, Timeout: witness.Bound}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.done <- built.Run(stop, kill)
	}()
	t.Cleanup(func() {
		stopped()
		killed()
		s.client.CloseIdleConnections()
		witness.Await(t, "end of the server", ended)
	})
	return s
}

func (s *server) public() string { return "http://" + s.Addresses()[0] }
func (s *server) admin() string  { return "http://" + s.AdminAddress() }

type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// get asks for a URL over a connection of its own.
func (s *server) get(url string) answer {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return answer{err: err}
	}
	r.Close = true
	got, err := s.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(body), err}
}

// ask gets a URL from another goroutine.
func (s *server) ask(url string) <-chan answer {
	answers := make(chan answer, 1)
	go func() { answers <- s.get(url) }()
	return answers
}

func (a answer) want(t *testing.T, what string, status int, body string) {
	t.Helper()
	if a.err != nil || a.status != status || !strings.Contains(a.body, body) {
		t.Errorf("%s: got %d %q, %v, want %d %q", what, a.status, a.body, a.err, status, body)
	}
}

// refused reports whether nobody listens at the address.
func refused(address string) bool {
	c, err := net.Dial("tcp", address)
	if err == nil {
		c.Close()
	}
	return err != nil
}
