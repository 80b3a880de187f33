package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strings"
)

// rewrite says who the client is. ReverseProxy has removed the hop-by-hop headers
// (those that Connection names, too) and every X-Forwarded-* before: what is set here
// cannot be removed by the client. The Host header stays the client's.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	if !p.trusts(peer(r.In)) {
		r.SetXForwarded()
		return
	}
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-For") // SetXForwarded appends to it
	r.SetXForwarded()
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-Host")
	copyHeader(r.Out.Header, r.In.Header, "X-Forwarded-Proto")
}

func copyHeader(to, from http.Header, name string) {
	if values := from[name]; len(values) > 0 {
		to[name] = slices.Clone(values)
	}
}

// trusts reports whether X-Forwarded-* of this address are believed.
func (p *Proxy) trusts(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p.options.Trusted, func(t netip.Prefix) bool { return t.Contains(a) })
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
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = address.Unmap().String()
		if !p.trusts(client) {
			break
		}
	}
	return client
}
