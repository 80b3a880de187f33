package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// What an endpoint answers is HTTP by the book when it comes to the client, or it is a
// 502; and whatever it says beyond its answer is nobody's.
func TestFramingOfAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n"
	for _, tt := range []struct {
		name, answer string
		want         string   // what the client gets: the statuses, then the body
		has, hasNot  []string // what is in its head and trailer, in any case
	}{
		{"an answer", ok + "Content-Length: 2\r\n\r\nhi", "200 hi", []string{"Content-Length: 2"}, []string{"Transfer-Encoding"}},
		{"chunks", chunked + "\r\n2\r\nhi\r\n0\r\n\r\n", "200 hi", nil, []string{"Content-Length: 0"}},
		{"a length and chunks", chunked + "Content-Length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "200 hi", nil, []string{"Content-Length: 9"}},
		{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "502", nil, nil},
		{"a length with a plus", ok + "Content-Length: +2\r\n\r\nhi", "502", nil, nil},
		{"an unknown coding", ok + "Transfer-Encoding: gzip\r\n\r\nhi", "502", nil, nil},
		{"a coding twice", chunked + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "502", nil, nil},
		{"no length of nothing", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", "204", nil, []string{"Content-Length"}},
		{"no status", "HTTP/1.1 OK\r\n\r\n", "502", nil, nil},
		{"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "502", nil, nil},
		{"another version, in the same framing", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200", nil, nil},
		{"another protocol", "ICY 200 OK\r\n\r\n", "502", nil, nil},
		{"noise", "\x00\x01\r\n\r\n", "502", nil, nil},
		{"a switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "502", nil, nil},
		{"a carriage return in a header", ok + "X: 1\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n", "502", nil, nil},
		{"a NUL in a header", ok + "X: \x00\r\nContent-Length: 0\r\n\r\n", "502", nil, nil},
		{"a space in a name", ok + "X Y: 1\r\nContent-Length: 0\r\n\r\n", "502", nil, nil},
		{"a space before a colon", ok + "Content-Length : 2\r\n\r\nhi", "502", nil, nil},
		{"a folded line", ok + "X: 1\r\n Set-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n", "200", []string{"X: 1 Set-Cookie: evil=1"}, nil},
		{"hop-by-hop headers", ok + "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
			"200", nil, []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Upgrade"}},
		{"hop-by-hop headers of an interim answer", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
			"103 200 hi", []string{"Link: </a>"}, []string{"X-Hop", "Keep-Alive"}},
		{"a trailer", chunked + "Trailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", "200 hi", []string{"X-Sum: 1"}, nil},
		{"a trailer that was not announced", chunked + "\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", "200 hi", []string{"X-Sum: 1"}, nil},
		{"trailers that may not be", chunked + "\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nSet-Cookie: evil=1\r\nConnection: x\r\n\r\n",
			"200 hi", []string{"X-Sum: 1"}, []string{"Content-Length", "Transfer-Encoding: x", "evil"}},
		{"announced trailers that may not be", chunked + "Trailer: Set-Cookie, X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nSet-Cookie: evil=1\r\n\r\n", "200 hi", []string{"X-Sum: 1"}, []string{"evil"}},
		{"a second answer", ok + "Content-Length: 2\r\n\r\nhi" + ok + "Content-Length: 6\r\n\r\npoison", "200 hi", nil, []string{"poison"}},
		{"more than the length", ok + "Content-Length: 2\r\n\r\nhi poison", "200 hi", nil, []string{"poison"}},
		{"more than nothing", "HTTP/1.1 304 Not Modified\r\n\r\npoison", "304", nil, []string{"poison"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newRecorder(t)
			b.answer = tt.answer
			g := newRig(t, plan{endpoints: []string{"http://" + b.Addr().String()}})
			c := witness.Dial(t, "tcp", g.guard(t, nil))
			var raw strings.Builder
			in := bufio.NewReader(io.TeeReader(c, &raw))
			io.WriteString(c, "POST /answer HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n")
			var got []string
			for {
				answer, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, answer.Status[:3])
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil {
					t.Error(err)
				}
				if answer.StatusCode >= 200 {
					if len(body) > 0 && answer.StatusCode != 502 {
						got = append(got, string(body))
					}
					break
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
			for _, text := range tt.has {
				if !strings.Contains(raw.String(), text) {
					t.Errorf("got\n%s\nwithout %q", &raw, text)
				}
			}
			for _, text := range tt.hasNot {
				if strings.Contains(raw.String(), text) {
					t.Errorf("got\n%s\nwith %q", &raw, text)
				}
			}
			if got := g.get(t, "/after"); got.status != 200 || got.body != "" {
				t.Errorf("the next request: got %d %q, want what it asked for", got.status, got.body)
			}
		})
	}
}
