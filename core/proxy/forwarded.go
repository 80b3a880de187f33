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
// client. The Host header, the query and the trailer stay the client's.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	// ReverseProxy has tidied the query up, for those that decide by what it says.
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	delete(r.Out.Header, explain.AskHeader) // it is for this proxy, not for one behind that trusts it
	r.Out.Trailer = r.In.Trailer            // not a copy: it is filled in at the end of the body
	trusted := p.trusts(peer(r.In))
	for name := range r.Out.Header {
		if forwards(name) && !(trusted && !strings.Contains(name, "_")) {
			delete(r.Out.Header, name)
		}
	}
	if !trusted {
		r.SetXForwarded()
		return
	}
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-For") // SetXForwarded appends to it
	r.SetXForwarded()
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-Host")
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-Proto")
}

// forwards reports whether a header is one of X-Forwarded-*, in the eyes of an endpoint
// that takes X_FORWARDED_FOR for the same, as CGI and its heirs do.
func forwards(name string) bool {
	const prefix = "x-forwarded-"
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := name[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
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
// theirs.
func (p *Proxy) clientAddress(r *http.Request) string {
	client := peer(r)
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
