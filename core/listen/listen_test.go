package listen

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/flood"
	"github.com/evenkeel/evenkeel/core/witness"
)

var here = netip.MustParsePrefix("127.0.0.0/8")

// At the limit nobody is accepted, and nobody turned away: who waits comes in when
// somebody leaves.
func TestSlots(t *testing.T) {
	b := start(t, Options{Slots: NewSlots(2)})
	for range 4 {
		b.dial(t)
	}
	first, second := b.next(t), b.next(t)
	if got := b.meter.state(Opening); got != 2 {
		t.Errorf("connections: got %d, want 2", got)
	}
	first.Close()
	first.Close() // the second time it is nobody's place
	turned(first, http.StateIdle)
	if got := b.meter.state(Idle); got != 0 {
		t.Errorf("idle connections: got %d of one that is gone", got)
	}
	third := b.next(t)
	select {
	case <-b.accepted:
		t.Error("a fourth connection has come in, where there are two places and one was left")
	default:
	}
	second.Close()
	third.Close()
	b.next(t)
	if got := b.meter.refusals(); len(got) != 0 {
		t.Errorf("refused: got %v, want nobody", got)
	}
}

// With the listener, connections that are not ready yet are closed; those that are stay.
func TestCloseEndsGreetings(t *testing.T) {
	b := start(t, Options{ProxyFrom: []netip.Prefix{here}})
	ready := b.dial(t)
	fmt.Fprint(ready, v1)
	conn := b.next(t)
	silent := b.dial(t)
	witness.Eventually(t, "it is being greeted", func() bool { return b.meter.state(Opening) == 2 })
	b.Close()
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a connection that is not ready: got %v, want its end", err)
	}
	fmt.Fprint(ready, "x")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Errorf("a connection that is ready: got %v, want it to go on", err)
	}
}

// That there is no place is said once a minute.
func TestFullIsSaid(t *testing.T) {
	var said bytes.Buffer
	now := core.Instant(1)
	l := New(nil, Options{Slots: NewSlots(1), Log: slog.New(slog.NewTextHandler(&said, nil)), Now: func() core.Instant { return now }})
	close(l.done) // nobody waits
	for i, step := range []struct {
		after time.Duration
		free  bool
		lines int
	}{{0, true, 0}, {0, false, 1}, {time.Minute, false, 1}, {time.Nanosecond, false, 2}, {time.Minute, false, 2}, {time.Hour, true, 2}} {
		now = now.Add(step.after)
		if step.free {
			select {
			case <-l.options.Slots:
			default:
			}
		}
		if got := l.place(); got != step.free {
			t.Errorf("step %d: got a place %v, want %v", i, got, step.free)
		}
		if got := strings.Count(said.String(), "most=1\n"); got != step.lines {
			t.Errorf("step %d: got %d lines, want %d:\n%s", i, got, step.lines, &said)
		}
	}
}

// A closed listener does not wait for a place.
func TestCloseEndsTheWaitForAPlace(t *testing.T) {
	b := start(t, Options{Slots: NewSlots(1)})
	b.dial(t)
	b.next(t)
	if err := b.Close(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if err := b.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("again: got %v, want %v", err, net.ErrClosed)
	}
	if _, err := b.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want %v", err, net.ErrClosed)
	}
}

// A client has so many connections; one more is closed, and counted.
func TestMostPerClient(t *testing.T) {
	for name, o := range map[string]Options{
		"direct":    {MostPerClient: 2},
		"announced": {MostPerClient: 2, ProxyFrom: []netip.Prefix{here}},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, o)
			dial := func(client string) net.Conn {
				c := b.dial(t)
				if o.ProxyFrom != nil {
					fmt.Fprintf(c, "PROXY TCP4 %s 192.0.2.1 1 2\r\n", client)
				}
				return c
			}
			dial("192.0.2.7")
			first := b.next(t)
			dial("192.0.2.7")
			b.next(t)
			refused := dial("192.0.2.7")
			if n, err := refused.Read(make([]byte, 1)); err == nil {
				t.Errorf("third connection: got %d bytes, want it closed", n)
			}
			if got := b.meter.refusals(); got[ClientLimit] != 1 || len(got) != 1 {
				t.Errorf("refused: got %v, want one for its client", got)
			}
			if o.ProxyFrom != nil {
				dial("192.0.2.8")
				b.next(t)
			}
			first.Close()
			dial("192.0.2.7")
			b.next(t)
		})
	}
}

// Clients are told apart by what is theirs.
func TestClients(t *testing.T) {
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%a", "fe80::2%b", true},
	} {
		one := clients{most: 1}
		one.enter(netip.MustParseAddr(c.one))
		if got := !one.enter(netip.MustParseAddr(c.other)); got != c.same {
			t.Errorf("%s and %s: got the same %v, want %v", c.one, c.other, got, c.same)
		}
		one.leave(netip.MustParseAddr(c.one))
		if len(one.count) != 0 && c.same {
			t.Errorf("%s: got %v, want it forgotten", c.one, one.count)
		}
	}
}

const v1 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"

// The address in the header is the client's, where the peer is trusted to know it; what
// follows the header is what the client sent.
func TestProxyHeader(t *testing.T) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	long := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x04\x0f\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\x04\x00" + strings.Repeat("x", 1024)
	elsewhere := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		name    string
		parts   []string
		from    netip.Prefix
		remote  string // empty: the peer's
		arrives string
		refused bool
	}{
		{"v1", []string{v1, "GET"}, here, "192.0.2.7:56324", "GET", false},
		{"v1 at once", []string{v1 + "GET"}, here, "192.0.2.7:56324", "GET", false},
		{"v1 in parts", []string{v1[:10], v1[10:30], v1[30:] + "G", "ET"}, here, "192.0.2.7:56324", "GET", false},
		{"v2", []string{v2 + "GET"}, here, "192.0.2.7:56324", "GET", false},
		{"v2, long", []string{long + "GET"}, here, "192.0.2.7:56324", "GET", false},
		{"local", []string{local + "GET"}, here, "", "GET", false},
		{"unknown", []string{"PROXY UNKNOWN\r\nGET"}, here, "", "GET", false},
		{"none", []string{"GET / HTTP/1.1\r\n"}, here, "", "", true},
		{"half", []string{v1[:20]}, here, "", "", true},
		{"two", []string{v1 + v1}, here, "192.0.2.7:56324", v1, false},
		{"of somebody else", []string{v1 + "GET"}, elsewhere, "", v1 + "GET", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, Options{ProxyFrom: []netip.Prefix{c.from}})
			client := b.dial(t)
			for _, part := range c.parts {
				if _, err := io.WriteString(client, part); err != nil {
					t.Fatal(err)
				}
			}
			client.(*net.TCPConn).CloseWrite()
			if c.refused {
				if n, err := client.Read(make([]byte, 1)); err == nil {
					t.Errorf("got %d bytes, want the connection closed", n)
				}
				witness.Eventually(t, "the refusal is counted", func() bool { return b.meter.refusals()[ProxyHeader] == 1 })
				return
			}
			conn := b.next(t)
			want := c.remote
			if want == "" {
				want = client.LocalAddr().String()
			}
			if got := conn.RemoteAddr().String(); got != want {
				t.Errorf("remote address: got %s, want %s", got, want)
			}
			if got, err := io.ReadAll(conn); err != nil || string(got) != c.arrives {
				t.Errorf("what arrives: got %q, %v, want %q", got, err, c.arrives)
			}
		})
	}
}

// Who says nothing keeps nobody waiting, and has only so much time.
func TestGreetingsDoNotWaitForEachOther(t *testing.T) {
	b := start(t, Options{ProxyFrom: []netip.Prefix{here}})
	b.dial(t)
	b.dial(t)
	fmt.Fprint(b.dial(t), v1)
	b.next(t)
	if got := b.meter.state(Opening); got != 3 {
		t.Errorf("connections: got %d, want 3", got)
	}

	slow := start(t, Options{ProxyFrom: []netip.Prefix{here}, Timeout: time.Millisecond})
	silent := slow.dial(t)
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a peer that says nothing: got an answer, want the connection closed")
	}
	witness.Eventually(t, "the refusal is counted", func() bool { return slow.meter.refusals()[ProxyHeader] == 1 })
}

// The time that a greeting may take is not the connection's.
func TestGreetedConnectionsHaveNoDeadline(t *testing.T) {
	b := start(t, Options{ProxyFrom: []netip.Prefix{here}, Timeout: 300 * time.Millisecond})
	client := b.dial(t)
	fmt.Fprint(client, v1)
	conn := b.next(t)
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	slower := start(t, Options{ProxyFrom: []netip.Prefix{here}, Timeout: 400 * time.Millisecond})
	slower.dial(t).Read(make([]byte, 1)) // ends after 400 ms
	fmt.Fprint(client, "x")
	if err := <-read; err != nil {
		t.Errorf("reading after the greeting's time: got %v, want a byte", err)
	}
}

// Under TLS what is read is plain, the handshake's state is known, and HTTP/2 that was
// agreed on has to be spoken.
func TestTLS(t *testing.T) {
	certificate, authorities := certificate(t)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	budget, err := flood.NewBudget(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		protocol, header, sent string
		refused                bool
	}{
		{"http/1.1", "", "GET / HTTP/1.1", false},
		{"h2", "", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false},
		{"h2", "", "GET / HTTP/1.1", true},
		{"", "", "GET / HTTP/1.1", false},
		{"http/1.1", v1, "GET / HTTP/1.1", false},
	} {
		o := Options{TLS: config, Budget: budget}
		if c.header != "" {
			o.ProxyFrom = []netip.Prefix{here}
		}
		b := start(t, o)
		raw := b.dial(t)
		fmt.Fprint(raw, c.header)
		client := tls.Client(raw, &tls.Config{RootCAs: authorities, ServerName: "localhost", NextProtos: strings.Fields(c.protocol)})
		go func() {
			io.WriteString(client, c.sent)
			client.CloseWrite()
		}()
		conn := b.next(t)
		if conn.TLS() == nil || conn.TLS().NegotiatedProtocol != c.protocol {
			t.Errorf("%q: got the state %+v, want one of this protocol", c.protocol, conn.TLS())
		}
		got, err := io.ReadAll(conn)
		if c.refused != errors.Is(err, flood.ErrPreface) || !c.refused && string(got) != c.sent {
			t.Errorf("%q over %q: got %q, %v, want it refused: %v", c.sent, c.protocol, got, err, c.refused)
		}
		if refused := b.meter.refusals()[HTTP2Preface] == 1; refused != c.refused {
			t.Errorf("%q over %q: counted as refused: %v, want %v", c.sent, c.protocol, refused, c.refused)
		}
	}
}

// A handshake that fails is counted; who speaks plain HTTP is told so.
func TestFailedHandshakes(t *testing.T) {
	certificate, _ := certificate(t)
	b := start(t, Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}, Timeout: witness.Bound})
	for i, c := range []struct{ sent, answer string }{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n"},
		{"\x15\x03\x01\x00\x02\x02\x28", ""}, // an alert
		{"something else", ""},
	} {
		client := b.dial(t)
		fmt.Fprint(client, c.sent)
		got, _ := io.ReadAll(client)
		if !strings.HasPrefix(string(got), c.answer) || strings.HasPrefix(string(got), "HTTP") != (c.answer != "") {
			t.Errorf("%q: got %q, want %q", c.sent, got, c.answer)
		}
		witness.Eventually(t, "the refusal is counted", func() bool { return b.meter.refusals()[TLSHandshake] == i+1 })
	}
}

// A defect costs a connection, and is counted.
func TestPanicsAreSurvived(t *testing.T) {
	certificate, authorities := certificate(t)
	var panics atomic.Int64
	b := start(t, Options{Panicked: func() { panics.Add(1) }, TLS: &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName != "localhost" {
			panic("a defect")
		}
		return &certificate, nil
	}}})
	if err := tls.Client(b.dial(t), &tls.Config{InsecureSkipVerify: true, ServerName: "elsewhere"}).Handshake(); err == nil {
		t.Error("the connection of the defect: got a handshake, want it closed")
	}
	if err := tls.Client(b.dial(t), &tls.Config{RootCAs: authorities, ServerName: "localhost"}).Handshake(); err != nil {
		t.Errorf("another connection: got %v, want a handshake", err)
	}
	b.next(t)
	if got := panics.Load(); got != 1 {
		t.Errorf("counted: got %d, want 1", got)
	}
}

// New connections are secured with what is new.
func TestSetTLS(t *testing.T) {
	old, oldAuthorities := certificate(t)
	next, nextAuthorities := certificate(t)
	b := start(t, Options{TLS: &tls.Config{Certificates: []tls.Certificate{old}}})
	oldConn := tls.Client(b.dial(t), &tls.Config{RootCAs: oldAuthorities, ServerName: "localhost"})
	if err := oldConn.Handshake(); err != nil {
		t.Fatal(err)
	}
	server := b.next(t)
	b.SetTLS(&tls.Config{Certificates: []tls.Certificate{next}})
	if err := tls.Client(b.dial(t), &tls.Config{RootCAs: nextAuthorities, ServerName: "localhost"}).Handshake(); err != nil {
		t.Errorf("new connection: got %v, want the new certificate", err)
	}
	b.next(t)
	go io.WriteString(server, "x")
	if _, err := oldConn.Read(make([]byte, 1)); err != nil {
		t.Errorf("old connection: got %v, want it to go on", err)
	}
}

// Too many frames end a connection.
func TestFloodsAreCut(t *testing.T) {
	budget, err := flood.NewBudget(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for why, frame := range map[Refusal]string{
		HTTP2Control: "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		HTTP2Resets:  "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
	} {
		b := start(t, Options{Budget: budget})
		client := b.dial(t)
		fmt.Fprint(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+strings.Repeat(frame, 11))
		conn := b.next(t)
		if _, err := io.Copy(io.Discard, conn); err == nil {
			t.Errorf("%v: got nil, want an error", why)
		}
		if _, err := io.WriteString(conn, strings.Repeat("\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x01", 11)); err == nil {
			t.Errorf("%v: writing afterwards: got nil, want an error", why)
		}
		if _, err := io.Copy(io.Discard, client); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%v: the client's end: got %v, want it closed", why, err)
		}
		if got := b.meter.refusals(); got[why] != 1 || len(got) != 1 {
			t.Errorf("%v: got %v, want it counted once", why, got)
		}
	}
}
