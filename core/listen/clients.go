package listen

import (
	"net/netip"
	"sync"
)

// clients counts the connections of each client. The zero value has no limit, and counts
// nobody.
type clients struct {
	most  int
	mu    sync.Mutex
	count map[netip.Addr]int
}

// clientOf is what counts as one client: an address, and of IPv6 the 64 bits that a
// single customer is given at least (RFC 6177), since the rest is theirs to choose.
func clientOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, _ := a.Prefix(64)
	return p.Addr()
}

// enter counts one connection more, if there may be one.
func (c *clients) enter(a netip.Addr) bool {
	if c.most == 0 {
		return true
	}
	a = clientOf(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[a] >= c.most {
		return false
	}
	if c.count == nil {
		c.count = map[netip.Addr]int{}
	}
	c.count[a]++
	return true
}

// leave counts one less.
func (c *clients) leave(a netip.Addr) {
	if c.most == 0 {
		return
	}
	a = clientOf(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[a]--; c.count[a] == 0 {
		delete(c.count, a)
	}
}
