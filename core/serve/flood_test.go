package serve_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/witness"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frame is a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))[1:]
	b = append(b, kind, flags)
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

// Types and flags of frames.
const (
	data, headers, priority, reset, settings, ping, window, continuation = 0, 1, 2, 3, 4, 6, 8, 9
	endStream, endHeaders                                                = 1, 4
)

// asked is the head of a request in HPACK: GET http://a/, of the static table.
const asked = "\x82\x86\x84\x41\x01a"

// What is agreed on for HTTP/2 is what the configuration says.
func TestHTTP2Settings(t *testing.T) {
	s := start(t, parse(t, "http://127.0.0.1:9", ", http2: {max_concurrent_streams: 7, max_frame_bytes: 20000, connection_window_bytes: 100000, stream_window_bytes: 50000}", "", ""))
	in := bufio.NewReader(sent(t, s.Addresses()[0], preface+frame(settings, 0, 0, "")))
	got := map[uint16]uint32{}
	head := make([]byte, 9)
	if _, err := io.ReadFull(in, head); err != nil || head[3] != settings {
		t.Fatalf("first frame: got %x, %v, want SETTINGS", head, err)
	}
	payload := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(in, payload); err != nil {
		t.Fatal(err)
	}
	for ; len(payload) > 0; payload = payload[6:] {
		got[binary.BigEndian.Uint16(payload)] = binary.BigEndian.Uint32(payload[2:])
	}
	for id, want := range map[uint16]uint32{3: 7, 4: 50_000, 5: 20_000} {
		if got[id] != want {
			t.Errorf("setting %d: got %d, want %d", id, got[id], want)
		}
	}
	if next, err := in.Peek(4); err != nil || next[3] == settings { // what this client has sent is answered, perhaps first
		in.Discard(9)
	}
	update := make([]byte, 13)
	if _, err := io.ReadFull(in, update); err != nil || update[3] != window || binary.BigEndian.Uint32(update[9:]) != 100_000-65_535 {
		t.Errorf("second frame: got %x, %v, want the connection's window to be 100000", update, err)
	}
}

// Every flood is cut, with and without TLS, and counted; who comes within the budget is
// served, and others are meanwhile.
func TestFloods(t *testing.T) {
	a := newAuthority(t)
	url := backend(t, func(http.ResponseWriter, *http.Request) {})
	const limits = ", http2: {resets_per_second: 10, control_frames_per_second: 10}"
	file := parse(t, url, limits, "", "")
	file.Listeners = append(file.Listeners, parse(t, url, limits+", tls: {"+a.issue(t, "site", "site.example")+"}", "", "").Listeners...)
	s := start(t, file)
	const budget = 100 // ten seconds' worth
	open := frame(headers, endHeaders, 1, asked)
	stream := func(i int) uint32 { return uint32(2*i + 1) }
	for _, f := range []struct {
		name, before string
		one          func(i int) string
		reason       string
	}{
		{"rapid resets", "", func(i int) string {
			return frame(headers, endHeaders|endStream, stream(i), asked) + frame(reset, 0, stream(i), "\x00\x00\x00\x08")
		}, "http2-resets"},
		{"resets that the server is made to send", "", func(i int) string {
			return frame(headers, endHeaders, stream(i), asked) + frame(headers, endHeaders, stream(i), asked)
		}, "http2-resets"},
		{"malformed requests", "", func(i int) string { return frame(headers, endHeaders|endStream, stream(i), "\x82") }, "http2-resets"},
		{"PING", "", func(int) string { return frame(ping, 0, 0, "12345678") }, "http2-control"},
		{"SETTINGS", "", func(int) string { return frame(settings, 0, 0, "") }, "http2-control"},
		{"PRIORITY", "", func(i int) string { return frame(priority, 0, stream(i), "\x00\x00\x00\x00\x10") }, "http2-control"},
		{"WINDOW_UPDATE", "", func(int) string { return frame(window, 0, 0, "\x00\x00\x00\x01") }, "http2-control"},
		{"empty DATA", open, func(int) string { return frame(data, 0, 1, "") }, "http2-control"},
		{"DATA of padding", open, func(int) string { return frame(data, 8, 1, "\x01\x00") }, "http2-control"},
		{"empty CONTINUATION", frame(headers, 0, 1, asked), func(int) string { return frame(continuation, 0, 1, "") }, "http2-control"},
		{"unknown", "", func(int) string { return frame(0xee, 0, 0, "x") }, "http2-control"},
	} {
		for i, address := range s.Addresses() {
			t.Run(fmt.Sprint(f.name, " ", file.Listeners[i].TLS != nil), func(t *testing.T) {
				name := fmt.Sprintf("evenkeel_connection_rejections_total{listener=\"127.0.0.1:0\",reason=%q} ", f.reason)
				before := metric(t, s, name)
				c := witness.Dial(t, "tcp", address)
				if file.Listeners[i].TLS != nil {
					c = handshake(t, c, a)
				}
				flood(c, f.before, 2*budget, f.one) // fewer than the streams that there may be, which is another matter
				if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
					t.Errorf("got %v, want the connection closed", err)
				}
				if got := metric(t, s, name); got != before+1 {
					t.Errorf("%s: got %v, want %v", name, got, before+1)
				}
				s.get(s.public()).want(t, "another client", 200, "")
			})
		}
	}
}

// flood sends the preface and so many frames, as far as they are taken.
func flood(c net.Conn, before string, n int, one func(i int) string) {
	var text strings.Builder
	text.WriteString(preface + frame(settings, 0, 0, "") + before)
	for i := range n {
		text.WriteString(one(i))
	}
	go io.WriteString(c, text.String())
}

// metric is the value of a series.
func metric(t *testing.T, s *server, name string) (value float64) {
	t.Helper()
	_, rest, found := strings.Cut(s.get(s.admin()+"/metrics").body, "\n"+name)
	if !found {
		t.Fatalf("%s: there is no such series", name)
	}
	if _, err := fmt.Sscan(rest, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// A large answer is no flood, though windows have to be opened for it again and again.
func TestDownloadsAreNoFlood(t *testing.T) {
	const size = 16 << 20
	part := make([]byte, 1<<20)
	s := start(t, parse(t, backend(t, func(w http.ResponseWriter, _ *http.Request) {
		for range size / len(part) {
			w.Write(part)
		}
	}), ", http2: {control_frames_per_second: 1, resets_per_second: 1}", "", ""))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 1 << 16, MaxReceiveBufferPerConnection: 1 << 16}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: witness.Bound}).Get(s.public())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
		t.Errorf("got %d bytes, %v, want %d", n, err, size)
	}
}

// A client that opens all windows and then takes nothing is cut off, with its requests.
func TestHTTP2ClientThatTakesNothing(t *testing.T) {
	left := make(chan struct{})
	file := parse(t, backend(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(left)
		part := make([]byte, 1<<20)
		for {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}), "", "", "")
	file.Listeners[0].Transfer.Stall = 50 * time.Millisecond
	s := start(t, file)
	sent(t, s.Addresses()[0], preface+frame(settings, 0, 0, "\x00\x04\x7f\xff\xff\xff")+
		frame(window, 0, 0, "\x7f\x00\x00\x00")+frame(headers, endHeaders|endStream, 1, asked))
	witness.Await(t, "end of the request at the backend", left)
	witness.Eventually(t, "the connection is closed", func() bool {
		return metric(t, s, `evenkeel_connections{listener="127.0.0.1:0",state="active"} `) == 0
	})
}
