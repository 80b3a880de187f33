package proxy_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// checked probes one endpoint until it is out, or was asked a few times, and says which.
func checked(t *testing.T, p plan, h config.Health, asked <-chan struct{}) core.Verdict {
	t.Helper()
	h.Interval, h.Rise, h.Fall = time.Millisecond, 1, 1
	if h.Timeout == 0 {
		h.Timeout = witness.Bound
	}
	p.policies = func(c *config.Policies) { c.Health = &h }
	transport, err := proxy.NewTransport(p.upstream, config.Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	p.transport = transport
	g := newRig(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		proxy.Probe(ctx, &proxy.Pool{Router: g.router, Transport: transport}, h, g.now)
	}()
	m := g.router.View().Members[0]
	for range 3 { // the third has been asked: the results of the first two are in
		if asked != nil {
			witness.Await(t, "a probe", asked)
		}
	}
	if asked == nil {
		witness.Eventually(t, "it is out", func() bool { return m.Verdict(g.now()) == core.Barred })
	}
	cancel()
	witness.Await(t, "the end of the probing", over)
	return m.Verdict(g.now())
}

// counting says of each request that it has come. Nobody needs to listen.
func counting(h http.HandlerFunc) (http.HandlerFunc, <-chan struct{}) {
	asked := make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		case <-r.Context().Done():
		}
		h(w, r)
	}, asked
}

func TestPageProbes(t *testing.T) {
	for name, tt := range map[string]struct {
		health config.Health
		want   core.Verdict
		saw    string
	}{
		"well":           {config.Health{Path: "/up?x=1", Host: "shop.example"}, core.Ready, "GET shop.example /up?x=1"},
		"that very one":  {config.Health{Path: "/", Host: "a", Status: config.Statuses{First: 204, Last: 204}}, core.Ready, "GET a /"},
		"another status": {config.Health{Path: "/", Host: "a", Status: config.Statuses{First: 200, Last: 200}}, core.Barred, "GET a /"},
	} {
		t.Run(name, func(t *testing.T) {
			saw := make(chan string, 1) // of the first probe; the later ones ask the same
			counted, asked := counting(func(w http.ResponseWriter, r *http.Request) {
				select {
				case saw <- r.Method + " " + r.Host + " " + r.URL.String():
				default:
				}
				w.WriteHeader(204)
			})
			if got := checked(t, plan{endpoints: urls(newBackend(t, counted))}, tt.health, asked); got != tt.want {
				t.Errorf("verdict: got %v, want %v", got, tt.want)
			}
			if got := <-saw; got != tt.saw {
				t.Errorf("asked for: got %q, want %q", got, tt.saw)
			}
		})
	}
}

// Probes are sent on one connection as long as nothing is wrong with it.
func TestProbesKeepTheirConnection(t *testing.T) {
	h, asked := counting(say(200, "well"))
	b := newBackend(t, h)
	if got := checked(t, plan{endpoints: urls(b)}, config.Health{Path: "/"}, asked); got != core.Ready {
		t.Errorf("verdict: got %v, want ready", got)
	}
	wantCount(t, "connections", b.connections.Load(), 1)
}

// The port of the check may be another than that of the endpoint.
func TestProbesOfAnotherPort(t *testing.T) {
	h, asked := counting(say(200, ""))
	_, port, _ := net.SplitHostPort(newBackend(t, h).host())
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := []string{nobody(t)}
	if got := checked(t, plan{endpoints: endpoint}, config.Health{Path: "/", Port: n}, asked); got != core.Ready {
		t.Errorf("page: got %v, want ready", got)
	}
	if got := checked(t, plan{endpoints: endpoint}, config.Health{Path: "/"}, nil); got != core.Barred {
		t.Errorf("page of its own port: got %v, want barred", got)
	}
}

// A check takes as long as it may, and no longer.
func TestHungProbes(t *testing.T) {
	hung := func(t *testing.T) string {
		return rawEndpoint(t, func(net.Conn, *http.Request) {})
	}
	for _, kind := range []string{config.CheckHTTP, config.CheckGRPC} {
		health := config.Health{Kind: kind, Path: "/", Timeout: 20 * time.Millisecond}
		u := config.Upstream{}
		if kind == config.CheckGRPC {
			u.Protocol = config.ProtocolH2
		}
		if got := checked(t, plan{endpoints: []string{hung(t)}, upstream: u}, health, nil); got != core.Barred {
			t.Errorf("%s: got %v, want barred", kind, got)
		}
	}
	// One that takes connections, and says nothing, is no server of TLS.
	if got := checked(t, plan{endpoints: []string{"https://" + hung(t)[len("http://"):]}},
		config.Health{Kind: config.CheckTCP, Timeout: 20 * time.Millisecond}, nil); got != core.Barred {
		t.Errorf("tcp: got %v, want barred", got)
	}
}

func TestKnocks(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := knocks(t, l, nil)
	if got := checked(t, plan{endpoints: []string{"http://" + l.Addr().String()}}, config.Health{Kind: config.CheckTCP}, asked); got != core.Ready {
		t.Errorf("open: got %v, want ready", got)
	}
	if got := checked(t, plan{endpoints: []string{nobody(t)}}, config.Health{Kind: config.CheckTCP}, nil); got != core.Barred {
		t.Errorf("closed: got %v, want barred", got)
	}
	s, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := checked(t, plan{endpoints: []string{"unix://" + s.Addr().String()}}, config.Health{Kind: config.CheckTCP}, knocks(t, s, nil)); got != core.Ready {
		t.Errorf("socket: got %v, want ready", got)
	}
}

// With TLS, the certificate has to be right, too.
func TestKnocksWithTLS(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue(t, "backend.example")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := knocks(t, l, &tls.Config{Certificates: []tls.Certificate{pair}})
	at := []string{"https://" + l.Addr().String()}
	known := config.Upstream{TLS: &config.UpstreamTLS{CAFile: a.file, ServerName: "backend.example"}}
	if got := checked(t, plan{endpoints: at, upstream: known}, config.Health{Kind: config.CheckTCP}, asked); got != core.Ready {
		t.Errorf("known: got %v, want ready", got)
	}
	go func() {
		for range asked { // whoever knocks is let in
		}
	}()
	if got := checked(t, plan{endpoints: at}, config.Health{Kind: config.CheckTCP}, nil); got != core.Barred {
		t.Errorf("unknown: got %v, want barred", got)
	}
}

// knocks takes connections until the listener is closed or the test ends, and says so of
// each.
func knocks(t *testing.T, l net.Listener, secure *tls.Config) <-chan struct{} {
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if secure != nil {
					c = tls.Server(c, secure)
				}
				c.Read(make([]byte, 1)) // to its end
			}()
			select {
			case asked <- struct{}{}:
			case <-t.Context().Done(): // one more knock than anybody waits for
				return
			}
		}
	}()
	return asked
}

// health answers checks of gRPC with a status for each service.
func health(t *testing.T, statuses map[string]string) (http.HandlerFunc, <-chan struct{}) {
	return counting(func(w http.ResponseWriter, r *http.Request) {
		question, err := io.ReadAll(r.Body)
		if err != nil || r.Context().Err() != nil {
			return // the probing has ended
		}
		if r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Te") != "trailers" || len(question) < 5 ||
			int(binary.BigEndian.Uint32(question[1:])) != len(question)-5 {
			t.Errorf("asked %s with %q", r.URL, question)
		}
		service := ""
		if m := question[5:]; len(m) > 0 {
			service = string(m[2:])
			if m[0] != 0x0a || int(m[1]) != len(service) {
				t.Errorf("asked with %q", m)
			}
		}
		w.Header().Set("Content-Type", "application/grpc")
		answer, ok := statuses[service]
		if !ok {
			w.Header().Set("Grpc-Status", "5")
			return
		}
		io.WriteString(w, framed(answer))
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
}

func TestHealthByGRPC(t *testing.T) {
	statuses := map[string]string{
		"":           "\x08\x01",
		"serving":    "\x1a\x02ab\x08\x01", // behind a field that we do not know
		"unknown":    "",
		"not":        "\x08\x02",
		"torn":       "\x08",
		"overlong":   "\x1a\x09ab",
		"other wire": "\x09",
	}
	for service, want := range map[string]core.Verdict{
		"": core.Ready, "serving": core.Ready, "unknown": core.Barred, "not": core.Barred,
		"torn": core.Barred, "overlong": core.Barred, "other wire": core.Barred, "nowhere": core.Barred,
	} {
		h, asked := health(t, statuses)
		p := plan{endpoints: []string{newH2C(t, h).URL}, upstream: config.Upstream{Protocol: config.ProtocolH2}}
		if got := checked(t, p, config.Health{Kind: config.CheckGRPC, Service: service}, asked); got != want {
			t.Errorf("service %q: got %v, want %v", service, got, want)
		}
	}
	// By TLS, too.
	a := newAuthority(t)
	h, asked := health(t, statuses)
	s := httptest.NewUnstartedServer(h)
	cert, key := a.issue(t, "backend.example")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	p := plan{endpoints: []string{s.URL}, upstream: config.Upstream{TLS: &config.UpstreamTLS{CAFile: a.file, ServerName: "backend.example"}}}
	if got := checked(t, p, config.Health{Kind: config.CheckGRPC}, asked); got != core.Ready {
		t.Errorf("by TLS: got %v, want ready", got)
	}
}
