package proxy

import (
	"bufio"
	"bytes"
	"io"
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
	{"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a\r\n\n\n\n\r\nB \r\n12345678901\r\n0\r\nX: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\n\n", -1},
	{"\r\n\r\nGET / HTTP/1.1\r\n\r\n", -1},
	{"GET / HTTP/1.1\nHost: a\r\n\r\n", 14},
	{"GET / HTTP/1.1\r\nX: 1\r\n\n", 22},
	{"GET / HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n", 25},
	{"GET / HTTP/1.1\r\n\r\nPRI * HTTP/2.0\r\n\r\n", 33},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 44},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 63},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 63},
	{"POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", 54},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;\n", 49},
	{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n 2\r\n", 59},
}

func TestFramingSteps(t *testing.T) {
	for _, s := range streams {
		want := s.good
		if want < 0 {
			want = len(s.text)
		}
		var f framing
		if got := f.feed([]byte(s.text)); got != want {
			t.Errorf("%q: got %d bytes in order, want %d", s.text, got, want)
		}
	}
}

// fed is how much of a stream is in order when it comes in pieces.
func fed(f *framing, text string, pieces func(left int) int) int {
	good := 0
	for good < len(text) {
		n := pieces(len(text) - good)
		if got := f.feed([]byte(text[good : good+n])); got < n {
			return good + got
		}
		good += n
	}
	return good
}

// However a stream is cut up, it is the same stream.
func TestFramingOfPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(streams).Draw(t, "stream")
		var whole, cut framing
		want := whole.feed([]byte(s.text))
		if got := fed(&cut, s.text, func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") }); got != want {
			t.Fatalf("got %d bytes in order, want %d", got, want)
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
		good := whole.feed([]byte(text))
		if got := fed(&cut, text, func(int) int { return 1 }); got != good {
			t.Fatalf("%q: byte by byte got %d, want %d", text, got, good)
		}
		spoilt := text[:good]
		if good < len(text) {
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
			if n := follow.feed([]byte(text[at:end])); n != end-at || follow.state != inStart || follow.n != 0 {
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
	if got := f.feed([]byte(text)); got != len(text)-1 {
		t.Errorf("a coding in HTTP/1.0 after long lines: got %d of %d bytes in order", got, len(text))
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
		if f.feed(text) != len(text) {
			b.Fatal("it is in order")
		}
	}
}
