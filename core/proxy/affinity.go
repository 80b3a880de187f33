package proxy

import (
	"net/http"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// Affinity is what of a request decides which endpoint it belongs to. The zero value is
// for strategies that do not go by that: their requests have no key.
type Affinity struct{ from, name string }

// AffinityOf is what a strategy goes by.
func AffinityOf(s config.Strategy) Affinity {
	from, name := s.KeyOf()
	return Affinity{from, name}
}

// key is the key of a request as it came in. A request without the header or the cookie
// that decides, or with an empty one, goes by its client's address.
func (p *Proxy) key(a Affinity, r *http.Request) uint64 {
	text := ""
	switch a.from {
	case "":
		return 0
	case config.KeyPath:
		return core.Hash(r.URL.Path) // decoded, as routes match it; * of OPTIONS is a path of its own
	case config.KeyHeader:
		if text = r.Header.Get(a.name); http.CanonicalHeaderKey(a.name) == "Host" {
			text = r.Host // net/http keeps it apart
		}
	case config.KeyCookie:
		if c, err := r.Cookie(a.name); err == nil {
			text = c.Value
		}
	}
	if text == "" {
		text = p.clientAddress(r)
	}
	return core.Hash(text)
}
