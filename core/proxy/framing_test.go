package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// streams are what may come over a connection, and how much of it is in order; -1 for all.
var streams = []struct {
	text string
	good int
}{
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1},
	{"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\n GET / HTTP/1.1\r\n\r\n", -1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a\r\n\n\n\n\r\nB ;b\r\n12345678901\r\n0\r\nX: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\n\n", -1},
	{"GET / HTTP/2.0\r\n\r\n", -1},
	{"GET /\r\n\r\n", 6},
	{"GET / \r\n\r\n", 7},
	{"GET / HTTP/1.1\nHost: a\r\n\r\n", 14},
	{"GET / HTTP/1.1\r\nX: 1\r\n\n", 22},
	{"GET / HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n", 25},
	{"GET / HTTP/1.1\r\n\r\nPRI * HTTP/2.0\r\n\r\n", 33},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 44},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 63},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 63},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", 54},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;\n", 49},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;\r\n", 50},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: gzip , chunked\r\n\r\n", -1},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 50},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n 2\r\n", 59},
}

func TestFramingSteps(t *testing.T) {
	for _, s := range streams {
		want := s.text
		if s.good >= 0 {
			want = s.text[:s.good]
		}
		var f framing
		if got, ok := f.feed([]byte(s.text)); string(got) != want || ok != (s.good < 0) {
			t.Errorf("%q: got %q passed on, in order %v; want %q", s.text, got, ok, want)
		}
	}
}

// An empty line before a request is dropped, and nothing else.
func TestFramingOfEmptyLines(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, tt := range []struct {
		text, want string
		ok         bool
	}{
		{"\r\n" + request, request, true},
		{request + "\r\n" + request, request + request, true},
		{request + "\r\n", request, true},
		{"\r", "", true},
		{"\r\n\r\n" + request, "\r\n" + request, true}, // for net/http to forgive, or not
		{"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\r\n\r\n" + request, "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\r\n" + request, true},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n" + request, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + request, true},
		{"\r" + request, "", false},
		{"\r\r\n" + request, "", false},
		{"\n" + request, "", false},
		{request + "\r" + request, request, false},
		{"\r\nPRI * HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r", false},
	} {
		var whole, cut framing
		if got, ok := whole.feed([]byte(tt.text)); string(got) != tt.want || ok != tt.ok {
			t.Errorf("%q: got %q passed on, in order %v; want %q, %v", tt.text, got, ok, tt.want, tt.ok)
		}
		if got, ok := fed(&cut, tt.text, func(int) int { return 1 }); got != tt.want || ok != tt.ok {
			t.Errorf("%q, byte by byte: got %q passed on, in order %v; want %q, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

// An empty line that is dropped is not the end of a read: net/http watches for the client's
// leaving with reads of one byte, and takes none for the end of its watch.
func TestReadsBeyondEmptyLines(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		for _, piece := range []string{"\r", "\n", "G"} {
			io.WriteString(client, piece)
		}
	}()
	c := &guarded{Conn: server, guard: &Guard{}}
	b := make([]byte, 1)
	if n, err := c.Read(b); string(b[:n]) != "G" || err != nil {
		t.Errorf("got %q, %v, want the first byte of the request", b[:n], err)
	}
}

// fed is what of a stream is passed on when it comes in pieces, and whether all is in order.
func fed(f *framing, text string, pieces func(left int) int) (passed string, ok bool) {
	for text != "" {
		n := pieces(len(text))
		got, ok := f.feed([]byte(text[:n]))
		passed += string(got)
		if !ok {
			return passed, false
		}
		text = text[n:]
	}
	return passed, true
}

// However a stream is cut up, it is the same stream.
func TestFramingOfPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(streams).Draw(t, "stream")
		text := rapid.SampledFrom([]string{"", "\r\n"}).Draw(t, "before") + s.text
		var whole, cut framing
		want, all := whole.feed([]byte(text))
		got, ok := fed(&cut, text, func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") })
		if got != string(want) || ok != all {
			t.Fatalf("got %q passed on, in order %v; want %q, %v", got, ok, want, all)
		}
		if cut != whole {
			t.Fatalf("got %+v, want %+v", cut, whole)
		}
	})
}

func TestFramingAllocatesNothing(t *testing.T) {
	text := []byte(streams[2].text)
	var f framing
	if got := testing.AllocsPerRun(100, func() { f.feed(text) }); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

// What passes is read by net/http as it was followed here: the same requests end at the
// same places. And what is stopped never holds a head that net/http would still serve.
func FuzzFraming(f *testing.F) {
	for _, s := range streams {
		f.Add(s.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var whole, cut framing
		passed, ok := whole.feed([]byte(text))
		if got, all := fed(&cut, text, func(int) int { return 1 }); got != string(passed) || all != ok {
			t.Fatalf("%q: byte by byte got %q, %v; want %q, %v", text, got, all, passed, ok)
		}
		spoilt, good := string(passed), len(passed)
		if !ok {
			spoilt += spoil
		}
		in := bufio.NewReaderSize(strings.NewReader(spoilt), len(spoilt)+1)
		in.Peek(len(spoilt)) // so that what is left is what is buffered
		var follow framing
		for at := 0; ; {
			r, err := http.ReadRequest(in)
			if err != nil || r.Proto == "HTTP/2.0" || r.ProtoMajor != 1 {
				return
			}
			_, err = io.Copy(io.Discard, r.Body)
			if err != nil {
				return // net/http refuses what it has passed: it is the stricter
			}
			end := len(spoilt) - in.Buffered()
			if end > good {
				t.Fatalf("%q: net/http serves a request that ends at %d, of which %d bytes were in order", text, end, good)
			}
			if got, ok := follow.feed([]byte(spoilt[at:end])); !ok || len(got) != end-at || follow.state != inStart || follow.n != 0 {
				t.Fatalf("%q: net/http ends a request at %d, where this is in %+v", text, end, follow)
			}
			at = end
		}
	})
}

// Lines may be as long as they like; what is kept of them is not.
func TestFramingOfLongLines(t *testing.T) {
	var f framing
	text := "GET /" + strings.Repeat("a", 1<<16) + " HTTP/1.0\r\nX: " + strings.Repeat("b", 1<<16) + "\r\nTransfer-Encoding: chunked\r\n"
	if got, _ := f.feed([]byte(text)); len(got) != len(text)-1 {
		t.Errorf("a coding in HTTP/1.0 after long lines: got %d of %d bytes in order", len(got), len(text))
	}
	if !bytes.Contains(f.kept[:], []byte("Transfer-Encoding")) {
		t.Errorf("kept: got %q", f.kept)
	}
}

// BenchmarkFraming is a request of a browser, in one piece.
func BenchmarkFraming(b *testing.B) {
	text := []byte("GET /a/b?c HTTP/1.1\r\nHost: shop.example\r\n" + strings.Repeat("X-Header-Of-Some-Length: and a value of some length as well\r\n", 12) + "\r\n")
	var f framing
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := f.feed(text); !ok {
			b.Fatal("it is in order")
		}
	}
}
