package proxy

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/limit"
)

// Limit is a rate limit and what clients are told of it.
type Limit struct {
	*limit.Limiter
	Name    string // of the policy in the headers
	Headers bool   // whether there are any
	// How many bits of an address make a client, where each has a bucket; 0 for all.
	IPv4Prefix, IPv6Prefix int
}

// key is what a client goes by, by its address: those with the same prefix are one. All
// link-local addresses have the same, and go by the whole. Who has no address, behind a
// socket, goes by its name.
func (l *Limit) key(client string) uint64 {
	a, err := netip.ParseAddr(client)
	if err != nil {
		return core.Hash(client)
	}
	bits := l.IPv6Prefix
	if a.Is4() {
		bits = l.IPv4Prefix
	}
	if bits > 0 && !a.IsLinkLocalUnicast() {
		prefix, _ := a.Prefix(bits)
		a = prefix.Addr()
	}
	b := a.As16()
	return core.Hash(string(b[:]))
}

// admit asks the rate limits, that of the route and that of all routes, and says in the
// answer's headers what is left. The wait is how long the request is to wait, or, when
// it is not ok, its client before it comes again. What the second limit refuses costs
// nothing in the first.
func (p *Proxy) admit(route *Route, r *http.Request, h http.Header, now core.Instant) (wait time.Duration, ok bool) {
	limits := [...]*Limit{route.Limit, p.options.Limit}
	var keys [len(limits)]uint64
	cost := max(route.Cost, 1)
	ok = true
	for i, l := range limits {
		if l == nil {
			continue
		}
		if l.Keyed() {
			keys[i] = l.key(p.clientAddress(r))
		}
		if !ok {
			continue
		}
		more, taken := l.Take(now, keys[i], cost)
		wait, ok = max(wait, more), taken
		if !ok {
			wait = more
			for j, earlier := range limits[:i] {
				if earlier != nil {
					earlier.Return(keys[j], cost)
				}
			}
		}
	}
	var quota quotas
	for i, l := range limits {
		if l != nil && l.Headers {
			quota.add(l, keys[i], now)
		}
	}
	quota.tell(h)
	return wait, ok
}

// quotas are the two headers of draft-ietf-httpapi-ratelimit-headers-11: a policy, as
// the quota q of a window of w seconds, and what is left of it, as the requests r that
// may come at once, and the seconds t until the quota is whole again. A token bucket
// has no window. The one that is told is the time to fill it, in whole seconds, and q is
// what comes in that time.
type quotas struct{ policy, left []byte }

func (q *quotas) add(l *Limit, key uint64, now core.Instant) {
	burst, fill := l.Quota()
	window := seconds(fill)
	tokens, full := l.Left(now, key)
	q.policy = item(q.policy, l.Name, "q", int64(float64(burst)*(float64(window)/fill.Seconds())+0.5), "w", window)
	q.left = item(q.left, l.Name, "r", int64(tokens), "t", whole(full))
}

func (q *quotas) tell(h http.Header) {
	if q.policy != nil {
		h["Ratelimit-Policy"] = []string{string(q.policy)}
		h["Ratelimit"] = []string{string(q.left)}
	}
}

// item appends an item of a list of structured fields (RFC 9651): a string, which is a
// name of the configuration and so needs no escaping, with two parameters.
func item(b []byte, name, a string, x int64, c string, y int64) []byte {
	if b != nil {
		b = append(b, ", "...)
	}
	b = append(append(append(b, '"'), name...), '"')
	b = strconv.AppendInt(append(append(append(b, ';'), a...), '='), x, 10)
	return strconv.AppendInt(append(append(append(b, ';'), c...), '='), y, 10)
}

// whole is a time in seconds, rounded up.
func whole(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// seconds is a time in seconds, rounded up, at least 1.
func seconds(d time.Duration) int64 { return max(1, whole(d)) }

// delay waits, unless the client leaves: then it returns false.
func delay(client context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-client.Done():
		return false
	}
}

// defaultPriority is the class of a request that says nothing: critical, as in
// Google's, not critical plus.
const defaultPriority = 1

// priority is how important a request is, by the pool's header: what it says is
// believed from trusted peers.
func (p *Proxy) priority(pool *Pool, r *http.Request) uint8 {
	if pool.PriorityHeader == "" {
		return 0 // all are of one class
	}
	n, err := strconv.ParseUint(r.Header.Get(pool.PriorityHeader), 10, 8)
	if err != nil || !p.trusts(peer(r)) {
		return defaultPriority
	}
	return uint8(n)
}
