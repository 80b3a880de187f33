package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/witness"
)

// mirror answers with the head of the request that it got, and its body.
func mirror(seen chan<- *http.Request) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		seen <- r
	}
}

// forwarded sends raw bytes through a proxy and returns the request that arrived
// behind it.
func forwarded(t *testing.T, trusted []string, raw string) *http.Request {
	t.Helper()
	seen := make(chan *http.Request, 1)
	g := newRig(t, plan{endpoints: urls(newBackend(t, mirror(seen))), trusted: trusted})
	c := g.dial(t)
	fmt.Fprint(c, raw)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Fatalf("status: got %d, want 200", answer.StatusCode)
	}
	return witness.Await(t, "request at the backend", seen)
}

func TestHeadersThatAreForwarded(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		trusted    []string
		want       map[string][]string // nil for a header that must not arrive
	}{
		{name: "the client is named", head: "", want: map[string][]string{
			"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Proto": {"http"},
			"User-Agent": nil, "Accept-Encoding": nil, // nothing of our own making
		}},
		{name: "what an unknown client says of itself is dropped",
			head: "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\n" +
				"X-Forwarded-Port: 1\r\nX_Forwarded_For: 1.2.3.4\r\nx-forwarded_proto: https\r\n",
			want: map[string][]string{
				"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Proto": {"http"},
				"Forwarded": nil, "X-Forwarded-Port": nil, "X_forwarded_for": nil, "X-Forwarded_proto": nil,
			}},
		{name: "what a trusted peer says is kept, and the peer added", trusted: []string{"127.0.0.0/8"},
			head: "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Proto: https\r\n",
			want: map[string][]string{
				"X-Forwarded-For": {"1.2.3.4, 5.6.7.8, 127.0.0.1"}, "X-Forwarded-Host": {"shop.example.com"}, "X-Forwarded-Proto": {"https"},
			}},
		{name: "a trusted peer that says nothing", trusted: []string{"127.0.0.1/32"}, want: map[string][]string{
			"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Proto": {"http"},
		}},
		{name: "who else says who the client is, or what it asked for, is dropped",
			head: "X-Real-IP: 1.2.3.4\r\nX_Real_Ip: 1.2.3.4\r\nX-Original-URL: /admin\r\nX-Rewrite-Url: /admin\r\nX.Forwarded.For: 1.2.3.4\r\nProxy: evil\r\nX_Other: 1\r\n",
			want: map[string][]string{
				"X-Real-Ip": nil, "X_real_ip": nil, "X-Original-Url": nil, "X-Rewrite-Url": nil, "X.forwarded.for": nil, "Proxy": nil, "X_other": {"1"},
			}},
		{name: "a trusted peer may say it, by the name itself", trusted: []string{"127.0.0.1/32"},
			head: "X-Real-IP: 1.2.3.4\r\nX_Real_Ip: 1.2.3.4\r\nX-Forwarded-Port: 1\r\nX-Original-URL: /admin\r\nX_Forwarded_For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nProxy: evil\r\nConnection: X-Real-IP\r\n",
			want: map[string][]string{
				"X-Real-Ip": {"1.2.3.4"}, "X_real_ip": nil, "X-Forwarded-Port": {"1"}, "X-Original-Url": {"/admin"}, "X_forwarded_for": nil,
				"X-Forwarded-For": {"127.0.0.1"}, "Forwarded": nil, "Proxy": nil,
			}},
		{name: "an upgrade to HTTP/2 would go past the proxy",
			head: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
			want: map[string][]string{"Connection": nil, "Upgrade": nil, "Http2-Settings": nil}},
		{name: "trust in others is no trust", trusted: []string{"10.0.0.0/8"}, head: "X-Forwarded-For: 1.2.3.4\r\n",
			want: map[string][]string{"X-Forwarded-For": {"127.0.0.1"}}},
		{name: "Connection cannot take away what the proxy says",
			head: "Connection: x-forwarded-for, X-FORWARDED-HOST\r\nConnection: X-Forwarded-Proto\r\n",
			want: map[string][]string{
				"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"shop.example"}, "X-Forwarded-Proto": {"http"}, "Connection": nil,
			}},
		{name: "nor what a trusted peer says", trusted: []string{"127.0.0.1/32"},
			head: "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nConnection: x-forwarded-for, x-forwarded-proto\r\n",
			want: map[string][]string{"X-Forwarded-For": {"1.2.3.4, 127.0.0.1"}, "X-Forwarded-Proto": {"https"}}},
		{name: "hop-by-hop headers stay on their hop",
			head: "Connection: keep-alive, X-Secret-Hop\r\nX-Secret-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n" +
				"Proxy-Authorization: Basic eDp5\r\nTE: gzip\r\nX-End-To-End: 1\r\n",
			want: map[string][]string{
				"Connection": nil, "X-Secret-Hop": nil, "Keep-Alive": nil, "Proxy-Connection": nil,
				"Proxy-Authorization": nil, "Te": nil, "X-End-To-End": {"1"},
			}},
		{name: "in any case", head: "connection: x-secret-hop\r\nX-SECRET-HOP: 1\r\nkeep-alive: x\r\n",
			want: map[string][]string{"Connection": nil, "X-Secret-Hop": nil, "Keep-Alive": nil}},
		{name: "that trailers are understood is passed on", head: "TE: trailers\r\n", want: map[string][]string{"Te": {"trailers"}}},
		{name: "the rest is the client's", head: "User-Agent: me\r\nAccept-Encoding: br\r\nCookie: a=b\r\nX-Twice: 1\r\nX-Twice: 2\r\n",
			want: map[string][]string{"User-Agent": {"me"}, "Accept-Encoding": {"br"}, "Cookie": {"a=b"}, "X-Twice": {"1", "2"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := forwarded(t, tt.trusted, "GET / HTTP/1.1\r\nHost: shop.example\r\n"+tt.head+"\r\n")
			if r.Host != "shop.example" {
				t.Errorf("Host: got %q, want the client's", r.Host)
			}
			for name, want := range tt.want {
				if diff := cmp.Diff(want, r.Header[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// The target is the client's business: neither path nor query is tidied up.
func TestTargetIsForwardedUnchanged(t *testing.T) {
	for _, target := range []string{
		"/", "/a/b", "/a%2Fb", "/a%2fb", "/a%20b", "/%61", "/a//b", "//a", "/a/...", "/a;x=1/b", "/a%2F/b", `/a\b`, `/{a}|"b"<>^`, "/\u00e4/%ff", "/%E2%82%AC", "/a+b", "/@:!$&'()*,=",
		"/?", "/?q", "/?a=1&b=2", "/?b=2&a=1", "/?a=1;b=2", "/?a=%zz", "/?a=%2F&a=+", "/?a=b?c/d", "/?" + strings.Repeat("a&", 10_001),
	} {
		name := target[:min(len(target), 20)]
		t.Run(name, func(t *testing.T) {
			r := forwarded(t, nil, "GET "+target+" HTTP/1.1\r\nHost: shop.example\r\n\r\n")
			if r.RequestURI != target {
				t.Errorf("target: got %.60q, want %.60q", r.RequestURI, target)
			}
		})
	}
}

func TestBodyIsForwarded(t *testing.T) {
	for _, tt := range []struct {
		name, raw, body string
		length          int64
	}{
		{"with a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello", 5},
		{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", -1},
		{"empty", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "", 0},
		{"of a GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := forwarded(t, nil, tt.raw)
			body, _ := io.ReadAll(r.Body)
			if string(body) != tt.body || r.ContentLength != tt.length {
				t.Errorf("body: got %q with length %d, want %q with %d", body, r.ContentLength, tt.body, tt.length)
			}
		})
	}
}

func TestAnswerIsForwarded(t *testing.T) {
	backend := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Keep-Alive", "timeout=1")
		h.Set("Location", "http://elsewhere.example/?a;b")
		h["Content-Type"] = nil // the backend does not say
		w.WriteHeader(307)
		io.WriteString(w, "<html>moved")
	})
	g := newRig(t, plan{endpoints: urls(backend)})
	got := g.get(t, "/")
	wantStatus(t, got, 307)
	if got.body != "<html>moved" {
		t.Errorf("body: got %q, want %q", got.body, "<html>moved")
	}
	for name, want := range map[string][]string{
		"Set-Cookie": {"a=1", "b=2"}, "Location": {"http://elsewhere.example/?a;b"},
		"X-Hop": nil, "Keep-Alive": nil,
		"Content-Type": nil, // nor does the proxy guess
	} {
		if diff := cmp.Diff(want, got.header[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
