package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guard keeps the pages of other sites out, and marks every answer as one that no
// cache may keep and no browser may guess the type of.
type guard struct {
	hosts []string
	next  http.Handler
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case foreign(r):
		say(w, http.StatusForbidden, "forbidden: asked by the page of another site\n")
	case arrivedAtLoopback(r) && !g.knows(r.Host):
		say(w, http.StatusForbidden, "forbidden: not a name of this listener; use localhost or an IP address\n")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// foreign reports whether a browser says that it asks for the page of another site.
// Following a link from there is fine: that page does not get to see the answer.
func foreign(r *http.Request) bool {
	for _, origin := range r.Header["Origin"] {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) { // "null" has no host
			return true
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate"
	}
	return false
}

// arrivedAtLoopback reports whether the connection ends at a loopback address.
func arrivedAtLoopback(r *http.Request) bool {
	tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// knows reports whether host, with or without a port, may be a name of a listener at
// a loopback address. No host at all is HTTP/1.0, which no browser speaks.
func (g guard) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	for _, h := range g.hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}
