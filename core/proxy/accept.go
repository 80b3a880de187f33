package proxy

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/evenkeel/evenkeel/core/telemetry"
)

// allowed are the methods that a refusal of another names. Any other method that is a
// token is forwarded too: extensions are the endpoints' affair.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// accept looks a request over before anything is done for it, and finds its route. Where
// there is none it has answered, and returns nil.
//
// net/http has parsed the request. What it lets pass although a proxy should not is
// refused here; what it takes away before anybody sees it, on the connection (Guard).
func (p *Proxy) accept(r *http.Request, out *response, maxHeaders int) *Route {
	reject := func(status int, reason string) *Route {
		out.reject(p.options.Unrouted, status, reason)
		return nil
	}
	if r.ProtoMajor == 2 {
		trim(r.Header)
	}
	switch r.Method {
	case http.MethodConnect:
		// The client may have begun to talk to the other end already.
		out.Header().Set("Connection", "close")
		fallthrough
	case http.MethodTrace, "TRACK":
		out.Header().Set("Allow", allowed)
		return reject(http.StatusMethodNotAllowed, telemetry.RejectMethod)
	}
	host, ok := hostName(r.Host)
	old := r.ProtoMajor == 1 && r.ProtoMinor == 0
	switch {
	case !token(r.Method): // HTTP/2 has no grammar for it
		return reject(http.StatusBadRequest, telemetry.RejectMethod)
	case maxHeaders > 0 && lines(r.Header) > maxHeaders:
		return reject(http.StatusRequestHeaderFieldsTooLarge, telemetry.RejectManyHeaders)
	case !ok && !(old && r.Host == ""), anotherHost(r):
		return reject(http.StatusBadRequest, telemetry.RejectBadHost)
	case !old && unmet(r.Header):
		return reject(http.StatusExpectationFailed, telemetry.RejectExpect)
	}
	raw, ok := rawPath(r.RequestURI)
	if r.Method == http.MethodOptions && (r.RequestURI == "*" || ok && raw == "" && r.URL.RawQuery == "") {
		// Of the server as a whole (RFC 9110, section 9.3.7), and this is it.
		out.Header().Set("Allow", allowed)
		out.WriteHeader(http.StatusNoContent)
		return nil
	}
	readings, whole := survey(raw)
	if !ok || !whole || !verbatim(r, raw) {
		return reject(http.StatusBadRequest, telemetry.RejectBadTarget)
	}
	route, certain := p.route(r, host, raw, readings)
	switch {
	case !certain:
		return reject(http.StatusBadRequest, telemetry.RejectAmbiguous)
	case route == nil:
		return reject(http.StatusNotFound, telemetry.RejectNoRoute)
	}
	return route
}

// anotherHost reports whether a request of HTTP/2 has a Host beside its authority that
// differs from it (RFC 9113, section 8.3.1). In HTTP/1 net/http has taken Host away.
func anotherHost(r *http.Request) bool {
	for _, host := range r.Header["Host"] {
		if !strings.EqualFold(host, r.Host) {
			return true
		}
	}
	return false
}

// verbatim sees to it that the path is sent as it came: net/url would encode what no path
// should have, such as a | or a ". It reports whether that can be done.
func verbatim(r *http.Request, raw string) bool {
	if raw == "" || raw == r.URL.EscapedPath() {
		return true
	}
	if strings.HasPrefix(raw, "//") {
		return false // net/url takes it for an authority
	}
	r.URL.Opaque = raw
	return true
}

// hostName is the name of a Host header in lower case, without a port and without the dot
// that makes a name absolute; an address in its usual form. It is not ok for what is no
// host: net/http lets pass whatever has no odd character.
func hostName(host string) (name string, ok bool) {
	if strings.HasPrefix(host, "[") {
		inside, port, closed := strings.Cut(host[1:], "]")
		address, err := netip.ParseAddr(inside)
		if !closed || err != nil || !address.Is6() || address.Zone() != "" {
			return "", false
		}
		return address.String(), port == "" || port[0] == ':' && isPort(port[1:])
	}
	name, port, _ := strings.Cut(host, ":")
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return "", false
		}
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name, name != "" && isPort(port)
}

// isPort reports whether text is a port, or empty (RFC 3986, section 3.2.3).
func isPort(text string) bool {
	if text == "" {
		return true
	}
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// token reports whether text is a token of HTTP (RFC 9110, section 5.6.2).
func token(text string) bool {
	for i := range len(text) {
		if !tokenByte(text[i]) {
			return false
		}
	}
	return text != ""
}

// tokenByte reports whether c may be in a token.
func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// lines is how many lines a header has.
func lines(h http.Header) int {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	return n
}

// unmet reports whether the client expects what is not to be had: anything but
// 100-continue.
func unmet(h http.Header) bool {
	values := h["Expect"]
	return len(values) > 1 || len(values) == 1 && !strings.EqualFold(strings.TrimSpace(values[0]), "100-continue")
}
