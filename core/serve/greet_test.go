package serve_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

// Who is at the PROXY header or at the TLS handshake when a listener's settings change
// finishes by the old ones, and gets an answer, which is the last; who comes then goes by
// the new ones.
func TestGreetingsOutliveTheirListener(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	f := &source{}
	write := func(a *authority, more string) {
		f.write("listeners: [{address: \"127.0.0.1:0\", proxy_protocol: {from: [127.0.0.1]}, tls: {%s}%s}]\npools: [{name: web, endpoints: [%s]}]",
			a.issue(t, "site", "site.example"), more, backend(t, tell))
	}
	write(old, "")
	s := serveFile(t, f, io.Discard)
	address := s.Addresses()[0]
	const header = "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n"
	atHeader, atHandshake, silent := sent(t, address, header[:20]), sent(t, address, header+"\x16\x03\x01"), witness.Dial(t, "tcp", address)
	opening := func() float64 { return metric(t, s, `evenkeel_connections{listener="127.0.0.1:0",state="opening"} `) }
	witness.Eventually(t, "three connections that are not open yet", func() bool { return opening() == 3 })
	write(next, ", max_headers: 20")
	reload(t, s)
	if got := s.Addresses()[0]; got != address {
		t.Fatalf("address: got %s, want %s", got, address)
	}
	secure := func(a *authority) *tls.Config { return &tls.Config{RootCAs: a.pool, ServerName: "site.example"} }
	for name, c := range map[string]*tls.Conn{
		"at the header":    tls.Client(&prefixed{Conn: atHeader, first: header[20:]}, secure(old)),
		"at the handshake": tls.Client(&prefixed{Conn: atHandshake, skip: 3}, secure(old)),
	} {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != 200 || !answer.Close {
			t.Errorf("%s: got %v, %v, want 200 as the last answer", name, answer, err)
		}
	}
	c := tls.Client(sent(t, address, header), secure(next))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != 200 || answer.Close {
		t.Errorf("by the new settings: got %v, %v, want 200", answer, err)
	}
	if got := serve.Leaving(s.Server); got != 1 {
		t.Errorf("listeners on their way out: got %d, want 1, which waits for the silent one", got)
	}
	silent.Close()
	witness.Eventually(t, "the old listener is gone", func() bool { return serve.Leaving(s.Server) == 0 })
}

// prefixed is a connection of which the first bytes were sent otherwise, or something else
// is to be sent before.
type prefixed struct {
	net.Conn
	first string
	skip  int
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.first != "" {
		if _, err := io.WriteString(p.Conn, p.first); err != nil {
			return 0, err
		}
		p.first = ""
	}
	skipped := min(p.skip, len(b))
	p.skip -= skipped
	n, err := p.Conn.Write(b[skipped:])
	return skipped + n, err
}

// Who has come in before the settings changed may take a moment for the first request, or
// for the rest of its head.
func TestFirstRequestsOutliveTheirListener(t *testing.T) {
	f := &source{}
	write := func(more string) {
		f.write("listeners: [{address: \"127.0.0.1:0\"%s}]\npools: [{name: web, endpoints: [%s]}]", more, named(t, "a"))
	}
	write("")
	s := serveFile(t, f, io.Discard)
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	late, slow := witness.Dial(t, "tcp", s.Addresses()[0]), sent(t, s.Addresses()[0], request[:20])
	witness.Eventually(t, "both have come in", func() bool {
		return metric(t, s, `evenkeel_connections{listener="127.0.0.1:0",state="opening"} `) == 2
	})
	write(", max_headers: 20")
	reload(t, s)
	pause := time.NewTimer(500 * time.Millisecond) // longer than it takes to shut a server
	<-pause.C
	for what, c := range map[string]net.Conn{request: late, request[20:]: slow} {
		fmt.Fprint(c, what)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != 200 || !answer.Close {
			t.Errorf("after %q: got %v, %v, want 200 as the last answer", what, answer, err)
		}
	}
	witness.Eventually(t, "the old listener is gone", func() bool { return serve.Leaving(s.Server) == 0 })
}
