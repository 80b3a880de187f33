package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// asked is a request as net/http would hand it over. HTTP/2 has no grammar for methods
// and targets: what comes over it may be anything.
func asked(method, target, host string, header http.Header) *http.Request {
	r := &http.Request{
		Method: method, RequestURI: target, Host: host, Header: header, URL: &url.URL{},
		Proto: "HTTP/2.0", ProtoMajor: 2, RemoteAddr: "127.0.0.1:1",
	}
	if u, err := url.ParseRequestURI(target); err == nil {
		r.URL = u
	}
	return r
}

func TestAccept(t *testing.T) {
	p := routed("/")
	for _, tt := range []struct {
		name                 string
		method, target, host string
		header               http.Header
		status               int // 200: it is accepted
	}{
		{"a request", "GET", "/", "a", nil, 200},
		{"a method with a space", "GET / HTTP/1.1 ", "/", "a", nil, 400},
		{"a method with a line break", "GET\r\nX:", "/", "a", nil, 400},
		{"no method", "", "/", "a", nil, 400},
		{"a target with a space", "GET", "/a HTTP/1.1", "a", nil, 400},
		{"a query with a space", "GET", "/?a HTTP/1.1", "a", nil, 400},
		{"a target with a tab", "GET", "/a\tb", "a", nil, 400},
		{"no target", "GET", "", "a", nil, 400},
		{"no host", "GET", "/", "", nil, 400},
		{"only a port", "GET", "/", ":80", nil, 400},
		{"only a dot", "GET", "/", ".", nil, 400},
		{"an expectation", "GET", "/", "a", http.Header{"Expect": {" 100-Continue"}}, 200},
		{"another", "GET", "/", "a", http.Header{"Expect": {"a-pony"}}, 417},
		{"two", "GET", "/", "a", http.Header{"Expect": {"100-continue", "100-continue"}}, 417},
		{"CONNECT", "CONNECT", "", "a:443", nil, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			route, status := accepted(p, asked(tt.method, tt.target, tt.host, tt.header))
			if status != tt.status || (route == nil) != (tt.status != 200) {
				t.Errorf("got %d and route %v, want %d", status, route, tt.status)
			}
		})
	}
}

func TestHostNames(t *testing.T) {
	for host, want := range map[string]string{
		"a": "a", "A.b-C_1": "a.b-c_1", "a:80": "a", "a:": "a", "a.:80": "a", "1.2.3.4:80": "1.2.3.4",
		"[::1]": "::1", "[0:0::1]:80": "::1", "[::FFFF:1.2.3.4]": "::ffff:1.2.3.4", "[::1]:": "::1",
		"": "", ".": "", ":80": "", "a:b": "", "a:65536": "", "a:-1": "", "a:1:2": "", "::1": "", "[::1": "", "[::1]x": "", "[::1]80": "",
		"[1.2.3.4]": "", "[a]": "", "[fe80::1%lo]": "", "a b": "", "a/b": "", "a@b": "", "a,b": "", "a%62": "", "ä": "", "a\x00": "",
	} {
		if got, ok := hostName(host); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v, want %q", host, got, ok, want)
		}
	}
}

func TestHeadersAreCounted(t *testing.T) {
	for n, want := range map[int]int{2: 200, 3: 200, 4: 431} {
		h := http.Header{"A": {"1", "2"}}
		for range n - 2 {
			h["B"] = append(h["B"], "1")
		}
		r := asked("GET", "/", "a", h)
		if _, status := acceptedWithin(routed("/"), r, 3); status != want {
			t.Errorf("%d lines of 3: got %d, want %d", n, status, want)
		}
	}
}

// HTTP/2 can say Host beside the authority, and white space around values.
func TestOddHeadersOfHTTP2(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		want   int
	}{
		"the same host":        {http.Header{"Host": {"A"}}, 200},
		"another host":         {http.Header{"Host": {"b"}}, 400},
		"the same and another": {http.Header{"Host": {"a", "b"}}, 400},
		"an empty one":         {http.Header{"Host": {""}}, 400},
		"white space":          {http.Header{"X": {" 1\t", "2", "\t3 4"}}, 200},
	} {
		r := asked("GET", "/", "a", tt.header)
		r.ProtoMajor = 2
		if _, status := accepted(routed("/"), r); status != tt.want {
			t.Errorf("%s: got %d, want %d", name, status, tt.want)
		}
		if got := strings.Join(r.Header["X"], ","); got != "" && got != "1,2,3 4" {
			t.Errorf("%s: got %q, want it gone", name, got)
		}
	}
}

func TestUpgradesThatArePassedOn(t *testing.T) {
	for to, want := range map[string]bool{
		"websocket": true, "WebSocket": true, "tcp": true, "SPDY/3.1": true,
		"h2c": false, "H2C": false, "h2": false, "HTTP/2.0": false, "http": false, "TLS/1.0": false,
		"websocket, h2c": false, "websocket,h2c": false, "": false, " websocket": false, "a/b/c": false, "a\x00": false, "\u00e4": false,
	} {
		r := asked("GET", "/", "a", http.Header{"Connection": {"Upgrade"}, "Upgrade": {to}})
		r.ProtoMajor, r.ProtoMinor = 1, 1
		if settle(r); (r.Header["Upgrade"] != nil) != want {
			t.Errorf("%q: got passed on %v, want %v", to, !want, want)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"HTTP/1.0":  func(r *http.Request) { r.ProtoMinor = 0 },
		"HTTP/2":    func(r *http.Request) { r.ProtoMajor = 2 },
		"a body":    func(r *http.Request) { r.ContentLength = 1 },
		"chunks":    func(r *http.Request) { r.ContentLength = -1 },
		"two lines": func(r *http.Request) { r.Header.Add("Upgrade", "websocket") },
	} {
		r := asked("GET", "/", "a", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Http2-Settings": {"x"}})
		r.ProtoMajor, r.ProtoMinor = 1, 1
		change(r)
		if settle(r); r.Header["Upgrade"] != nil || r.Header["Http2-Settings"] != nil {
			t.Errorf("%s: got an upgrade passed on", name)
		}
	}
}

func TestTrailersThatArePassedOn(t *testing.T) {
	for name, want := range map[string]bool{
		"X-Sum": true, "Grpc-Status": true, "Grpc-Message": true, "Content-Digest": true, "Etag": true, "Server-Timing": true,
		"Content-Length": false, "Transfer-Encoding": false, "Host": false, "Connection": false, "Authorization": false, "Set-Cookie": false,
		"X-Forwarded-For": false, "X_forwarded_proto": false, "X-Real-Ip": false, "Forwarded": false, "Content-Type": false,
		"X-Sum ": false, "": false, "X\r\nY": false, "X-Evenkeel-Explain": false,
	} {
		if got := mayTrail(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// rewritten is the header of a request as an endpoint gets it.
func rewritten(p *Proxy, r *http.Request) http.Header {
	pr := &httputil.ProxyRequest{In: r, Out: r.Clone(r.Context())}
	pr.Out.Header.Del("Forwarded") // ReverseProxy's part
	pr.Out.Header.Del("X-Forwarded-For")
	p.rewrite(pr)
	return pr.Out.Header
}

// An IPv4 address is the same client, however whoever forwards for it writes it.
func TestMappedAddresses(t *testing.T) {
	p := routed("/")
	p.options.Trusted = prefixes(t, "127.0.0.0/8")
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:1", "", "192.0.2.1"},
		{"[::ffff:192.0.2.1]:1", "", "192.0.2.1"},
		{"[::ffff:127.0.0.1]:1", "::ffff:192.0.2.7", "192.0.2.7"},
		{"[2001:db8::1]:1", "", "2001:db8::1"},
		{"@", "", "@"},
	} {
		r := asked("GET", "/", "a", http.Header{"X-Forwarded-For": {c.forwarded}})
		r.RemoteAddr = c.peer
		if got := p.clientAddress(r); got != c.want {
			t.Errorf("%s, forwarded for %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// No name that an endpoint may take for X-Forwarded-For gets past.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "1.2.3.4, 127.0.0.1", " , ", "[::1]:80", "1.2.3.4:80", "::ffff:127.0.0.1", "fe80::1%lo", "unknown", "127.0.0.1,,127.0.0.2", "\x00"} {
		f.Add("X-Forwarded-For", s)
	}
	f.Add("X_Forwarded_For", "1.2.3.4")
	f.Add("x.forwarded~host", "evil.example")
	p := routed("/")
	p.options.Trusted = prefixes(f, "127.0.0.0/8")
	f.Fuzz(func(t *testing.T, name, value string) {
		r := asked("GET", "/", "a", http.Header{name: {value}})
		// From a peer that is not trusted nothing is believed.
		r.RemoteAddr = "192.0.2.1:1"
		if got := p.clientAddress(r); got != "192.0.2.1" {
			t.Errorf("%s: %q: the client is %q, want the peer", name, value, got)
		}
		out := rewritten(p, r)
		for got, values := range out {
			if canonical := strings.Map(dashed, got); strings.HasPrefix(canonical, "x-forwarded-") && strings.Contains(strings.Join(values, ","), value) &&
				value != "" && !strings.Contains("192.0.2.1 a http", value) {
				t.Errorf("%s: %q: got %s: %q through", name, value, got, values)
			}
		}
		if got := out["X-Forwarded-For"]; len(got) != 1 || got[0] != "192.0.2.1" {
			t.Errorf("%s: %q: X-Forwarded-For is %q, want the peer", name, value, got)
		}
		// A trusted peer is believed as far as it goes: the client is an address, and
		// whatever a client wrote before that is not it.
		r.RemoteAddr = "127.0.0.1:1"
		r.Header = http.Header{"X-Forwarded-For": {value, "192.0.2.7"}}
		if got := p.clientAddress(r); got != "192.0.2.7" {
			t.Errorf("%q, then 192.0.2.7: the client is %q", value, got)
		}
		if got := rewritten(p, r)["X-Forwarded-For"]; len(got) != 1 || !strings.HasSuffix(got[0], ", 192.0.2.7, 127.0.0.1") {
			t.Errorf("%q, then 192.0.2.7: passed on as %q", value, got)
		}
	})
}

// dashed is a character of a header's name as CGI and its heirs read it.
func dashed(c rune) rune {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}
