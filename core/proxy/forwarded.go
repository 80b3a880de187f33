package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/core/explain"
)

// rewrite says who the client is. ReverseProxy has removed the hop-by-hop headers
// (those that Connection names, too) before: what is set here cannot be removed by the
// client. The Host header, the path, the query and the trailer stay the client's.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	// ReverseProxy has tidied the query up, for those that decide by what it says.
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	delete(r.Out.Header, explain.AskHeader) // it is for this proxy, not for one behind that trusts it
	r.Out.Trailer = r.In.Trailer            // not a copy: it is filled in at the end of the body
	trusted := p.trusts(peer(r.In))
	for name := range r.Out.Header {
		if speaks(name) {
			delete(r.Out.Header, name)
		}
	}
	if !trusted {
		r.SetXForwarded()
		return
	}
	for name, values := range r.In.Header { // what Connection names, too
		if speaks(name) && !alias(name) && name != "Forwarded" && name != "Proxy" {
			r.Out.Header[name] = slices.Clone(values)
		}
	}
	r.SetXForwarded() // appends to X-Forwarded-For
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-Host")
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-Proto")
}

// spoken are the headers that speak for somebody else, besides X-Forwarded-*: they say
// who the client is, or which path it has asked for (IIS and some frameworks route by
// X-Original-URL and X-Rewrite-URL), and are believed from trusted peers only. Proxy is
// no header at all, but CGI makes HTTP_PROXY of it; that is passed on from nobody, and no
// Forwarded (RFC 7239): half a chain in each of two headers would tell two stories.
var spoken = [...]string{"forwarded", "x-real-ip", "x-original-url", "x-rewrite-url", "proxy"}

const xForwarded = "x-forwarded-"

// speaks reports whether a header is one of those that speak for somebody else, in the
// eyes of an endpoint, too, that takes X_FORWARDED_FOR for the same, as CGI and its heirs
// do.
func speaks(name string) bool {
	if len(name) >= len(xForwarded) && reads(name[:len(xForwarded)], xForwarded) {
		return true
	}
	for _, s := range spoken {
		if reads(name, s) {
			return true
		}
	}
	return false
}

// reads reports whether a name reads like a word in lower case, where anything but
// letters and digits reads like a dash.
func reads(name, word string) bool {
	if len(name) != len(word) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		default:
			c = '-'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// alias reports whether a name only reads like another.
func alias(name string) bool {
	return strings.ContainsFunc(name, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

func copyHeader(to, from http.Header, name string) {
	if values := from[name]; len(values) > 0 {
		to[name] = slices.Clone(values)
	}
}

// trusts reports whether X-Forwarded-* of this address are believed.
func (p *Proxy) trusts(address string) bool { return contains(p.options.Trusted, address) }

// contains reports whether an address lies in one of the ranges.
func contains(ranges []netip.Prefix, address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(ranges, func(t netip.Prefix) bool { return t.Contains(a) })
}

// clientAddress is the address of the client itself, without port: the peer, or,
// where peers are trusted, the last address in X-Forwarded-For that is not one of
// theirs. An IPv4 address that is written as an IPv6 one is an IPv4 address.
func (p *Proxy) clientAddress(r *http.Request) string {
	client := peer(r)
	if a, err := netip.ParseAddr(client); err == nil && a.Is4In6() {
		client = a.Unmap().String()
	}
	if !p.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		address, err := netip.ParseAddr(hop)
		if err != nil { // some proxies add the port
			var withPort netip.AddrPort
			if withPort, err = netip.ParseAddrPort(hop); err != nil {
				break
			}
			address = withPort.Addr()
		}
		client = address.Unmap().String()
		if !p.trusts(client) {
			break
		}
	}
	return client
}
