package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// say sends text on a connection of its own and returns the status and the body of the
// answer.
func say(t *testing.T, address, text string) (int, string) {
	t.Helper()
	c := witness.Dial(t, "tcp", address)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("answer to %q: %v", text, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil && answer.StatusCode != http.StatusBadRequest { // its end may be lost: not all was read
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// The address in the PROXY header is the client's for all that goes by it: what endpoints
// hear, who is trusted, and limits by client.
func TestProxyProtocol(t *testing.T) {
	const header1, header2 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	b := backend(t, tell)
	s := start(t, parse(t, b, ", proxy_protocol: {from: [127.0.0.1]}", `
trusted_proxies: [192.0.2.8]
routes: [{path_prefix: /, pool: web}, {path_prefix: /limited, pool: web, rate_limit: {rate: 0.001, burst: 1, key: client}}]`, ""))
	forwarded := strings.Replace(get, "Connection", "X-Forwarded-For: 1.1.1.1\r\nConnection", 1)
	limited := strings.Replace(get, "/ ", "/limited ", 1)
	for i, step := range []struct {
		text   string
		status int
		body   string
	}{
		{header1 + get, 200, "for=192.0.2.7 "},
		{header2 + get, 200, "for=192.0.2.8 "},
		{"PROXY UNKNOWN\r\n" + get, 200, "for=127.0.0.1 "},
		{header1 + forwarded, 200, "for=192.0.2.7 "},
		{header2 + forwarded, 200, "for=1.1.1.1, 192.0.2.8 "},
		{header1 + limited, 200, ""},
		{header2 + limited, 200, ""},
		{header1 + limited, 429, ""},
	} {
		if status, body := say(t, s.Addresses()[0], step.text); status != step.status || !strings.HasPrefix(body, step.body) {
			t.Errorf("step %d: got %d %q, want %d %q", i, status, body, step.status, step.body)
		}
	}
	if n, err := io.Copy(io.Discard, sent(t, s.Addresses()[0], get)); n > 0 {
		t.Errorf("a request without the header: got %d bytes, %v, want the connection closed", n, err)
	}
	s.get(s.admin()+"/metrics").want(t, "metrics", 200, `evenkeel_connection_rejections_total{listener="127.0.0.1:0",reason="proxy-header"} 1`)

	// From anybody else it is no header.
	plain := start(t, parse(t, b, ", proxy_protocol: {from: [10.0.0.0/8]}", "", ""))
	for text, want := range map[string]int{get: 200, header1 + get: 400, header2 + get: 400} {
		if status, _ := say(t, plain.Addresses()[0], text); status != want {
			t.Errorf("%q of somebody else: got %d, want %d", text, status, want)
		}
	}
}

// sent is a connection on which something was said.
func sent(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c := witness.Dial(t, "tcp", address)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// The header comes before TLS.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	a := newAuthority(t)
	s := start(t, parse(t, backend(t, tell), ", proxy_protocol: {from: [127.0.0.1]}, tls: {"+a.issue(t, "site", "site.example")+"}", "", ""))
	transport := &http.Transport{
		TLSClientConfig: secured(a), ForceAttemptHTTP2: true,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return sent(t, address, "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n"), nil
		},
	}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: witness.Bound}).Get("https://" + s.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.Proto != "HTTP/2.0" || string(body) != "for=2001:db8::7 proto=https " {
		t.Errorf("got %q over %s, %v", body, answer.Proto, err)
	}
}

// A peer at a Unix socket is a peer on this machine: endpoints hear of 127.0.0.1, and it is
// trusted when those are.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	file := parse(t, backend(t, tell), "", "trusted_proxies: [127.0.0.0/8]", "")
	file.Listeners[0].Address, file.Listeners[0].SocketMode = "unix:"+path, "0600"
	s := start(t, file)
	if f, err := os.Stat(path); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", f.Mode(), err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for who, want := range map[string]string{"": "for=127.0.0.1 ", "X-Forwarded-For: 1.1.1.1\r\n": "for=1.1.1.1, 127.0.0.1 "} {
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", who)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("%q: got %q, %v, want %q", who, body, err, want)
		}
	}
	s.stop()
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
	if _, err := net.Dial("unix", path); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the socket after the end: got %v, want it gone", err)
	}
}

// A Unix socket whose listener's settings change is there before, during and after the
// reload, and gone at the end.
func TestUnixSocketIsReloaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	file := parse(t, backend(t, tell), "", "", "")
	file.Listeners[0].Address = "unix:" + path
	next, bad := *file, *file
	next.Listeners = slices.Clone(file.Listeners)
	next.Listeners[0].IdleTimeout = time.Second
	bad.Listeners = append(slices.Clone(next.Listeners), config.Listener{Address: "127.0.0.1:x", HTTP2: file.Listeners[0].HTTP2})
	loads := []*config.File{&bad, &next}
	o := options()
	o.Load = func() (*config.File, error) { defer func() { loads = loads[1:] }(); return loads[0], nil }
	s := startWith(t, file, o)
	for i, good := range []bool{false, true} {
		if err := s.Reload(); (err == nil) != good {
			t.Fatalf("reload %d: got %v, want it to do: %v", i, err, good)
		}
		witness.Eventually(t, "the old listener has left", func() bool { return serve.Leaving(s.Server) == 0 })
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("after reload %d: %v", i, err)
		}
		fmt.Fprint(c, get)
		if text, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
			t.Errorf("after reload %d: got %q, %v", i, text, err)
		}
		c.Close()
	}
	s.stop()
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
	if _, err := net.Dial("unix", path); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the socket after the end: got %v, want it gone", err)
	}
}

// Connections are counted by what they do, and there are only so many.
func TestConnectionsAreCounted(t *testing.T) {
	url, arrived, let := held(t)
	lines := make(chan string, 100)
	o := options()
	o.Log = slog.New(slog.NewJSONHandler(toLines(lines), nil))
	s := startWith(t, parse(t, url, ", max_connections: 3", "", ""), o)
	address := s.Addresses()[0]
	witness.Dial(t, "tcp", address)
	c := witness.Dial(t, "tcp", address)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	witness.Await(t, "request at the backend", arrived)
	counted := func(state string, n int) string {
		return fmt.Sprintf("evenkeel_connections{listener=\"127.0.0.1:0\",state=%q} %d\n", state, n)
	}
	for _, line := range []string{counted("opening", 1), counted("active", 1), counted("idle", 0), counted("upgraded", 0)} {
		s.get(s.admin()+"/metrics").want(t, "metrics", 200, line)
	}
	let()
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	witness.Eventually(t, "the connection is idle", func() bool {
		return strings.Contains(s.get(s.admin()+"/metrics").body, counted("idle", 1))
	})
	third := witness.Dial(t, "tcp", address)
	for !strings.Contains(witness.Await(t, "line of the log that says so", lines), `"most":3`) {
	}
	waiting := sent(t, address, get) // there is no place for it
	third.Close()
	if answer, err := http.ReadResponse(bufio.NewReader(waiting), nil); err != nil || answer.StatusCode != 200 {
		t.Errorf("a connection that had to wait: got %v, %v, want its answer", answer, err)
	}
}

func TestConnectionsOfAClient(t *testing.T) {
	s := start(t, parse(t, backend(t, tell), ", max_connections_per_client: 1", "", ""))
	first := witness.Dial(t, "tcp", s.Addresses()[0])
	witness.Eventually(t, "the first is there", func() bool {
		return strings.Contains(s.get(s.admin()+"/metrics").body, `state="opening"} 1`)
	})
	if n, err := io.Copy(io.Discard, witness.Dial(t, "tcp", s.Addresses()[0])); n > 0 {
		t.Errorf("the second: got %d bytes, %v, want it closed", n, err)
	}
	s.get(s.admin()+"/metrics").want(t, "metrics", 200, `evenkeel_connection_rejections_total{listener="127.0.0.1:0",reason="client-limit"} 1`)
	first.Close()
	witness.Eventually(t, "another one may come", func() bool { return s.get(s.public()).status == 200 })
}

// Who says nothing has as long for the PROXY header and the TLS handshake as for the head
// of a request.
func TestSilentPeersAreClosed(t *testing.T) {
	a := newAuthority(t)
	for reason, settings := range map[string]string{
		"proxy-header":  "proxy_protocol: {from: [127.0.0.1]}",
		"tls-handshake": "tls: {" + a.issue(t, "site", "site.example") + "}",
	} {
		s := start(t, parse(t, "http://127.0.0.1:9", ", read_header_timeout: 50ms, "+settings, "", ""))
		c := witness.Dial(t, "tcp", s.Addresses()[0])
		if n, err := io.Copy(io.Discard, c); n > 0 || err != nil {
			t.Errorf("%s: got %d bytes, %v, want the connection closed", reason, n, err)
		}
		s.get(s.admin()+"/metrics").want(t, "metrics", 200, fmt.Sprintf("evenkeel_connection_rejections_total{listener=\"127.0.0.1:0\",reason=%q} 1", reason))
	}
}

// An upgraded connection is counted as one until it ends, and a listener that leaves the
// configuration leaves the metrics.
func TestUpgradedConnectionsAndListenersThatLeave(t *testing.T) {
	ended := make(chan struct{})
	file := parse(t, backend(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		<-ended
	}), "", "", "")
	next := *file
	next.Listeners = slices.Clone(file.Listeners)
	next.Listeners[0].Address = "localhost:0"
	o := options()
	o.Load = func() (*config.File, error) { return &next, nil }
	s := startWith(t, file, o)
	c := sent(t, s.Addresses()[0], "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != 101 {
		t.Fatalf("answer: got %v, %v, want 101", answer, err)
	}
	const series = `evenkeel_connections{listener="127.0.0.1:0",state="upgraded"} `
	witness.Eventually(t, "it is counted", func() bool { return metric(t, s, series) == 1 })
	close(ended)
	witness.Eventually(t, "it is gone", func() bool { return metric(t, s, series) == 0 })
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	witness.Eventually(t, "the listener has left the metrics", func() bool {
		return !strings.Contains(s.get(s.admin()+"/metrics").body, `listener="127.0.0.1:0"`)
	})
	s.get(s.admin()+"/metrics").want(t, "metrics", 200, `evenkeel_connections{listener="localhost:0",state="idle"} 0`)
}

func TestPlaces(t *testing.T) {
	for files, want := range map[uint64]int{0: 1, 256: 1, 257: 1, 258: 1, 260: 2, 1025: 384, 1 << 20: 524_160, 2_000_256: 1_000_000, math.MaxUint64: 1_000_000} {
		if got := serve.Places(files); got != want {
			t.Errorf("%d files: got %d, want %d", files, got, want)
		}
	}
}
