package proxy

import "time"

// Clients are the bounds on what the clients of one listener may do. The zero value is
// no bounds.
type Clients struct {
	// Stall and BytesPerSecond say how slowly a client may send a body and take an
	// answer, see pace; a Stall of 0 is no bound.
	Stall          time.Duration
	BytesPerSecond int
	// MaxBodyBytes bounds the body of a request where its route does not; 0 for no
	// bound.
	MaxBodyBytes int64
	// MaxHeaders is how many lines the header of a request may have; 0 for no bound.
	MaxHeaders int
}

// pace returns the pace that one request or answer has to keep.
func (c *Clients) pace() pace {
	if c.Stall <= 0 {
		return pace{}
	}
	return pace{stall: c.Stall, perByte: time.Second / time.Duration(max(1, c.BytesPerSecond))}
}

// pace is a leaky bucket of time. Waiting for a client spends it, and what the client
// moves fills it up again, at so much time a byte. A client whose bucket is empty has
// been slower than the rate for longer than stall. The zero value is no bound. It is for
// one goroutine at a time.
type pace struct {
	stall, perByte time.Duration
	spent          time.Duration // of stall
	until          time.Time     // the deadline that the connection has; zero for none
}

// patience is how long the client may take to move n bytes more.
func (p *pace) patience(n int) time.Duration {
	return p.stall - p.spent + time.Duration(n)*p.perByte
}

// begin gives the connection a deadline by which n bytes are to be moved. Setting one
// costs more than comparing, and in HTTP/2 much more, so one that is late by up to a
// quarter of stall is good enough.
func (p *pace) begin(now time.Time, n int, set func(time.Time) error) {
	if p.stall <= 0 {
		return
	}
	by := now.Add(p.patience(n))
	if late := p.until.Sub(by); late < 0 || late > p.stall/4 {
		p.until = by.Add(p.stall / 4)
		_ = set(p.until) // where this is not supported there is no connection to wait for
	}
}

// moved takes in that n bytes took so long.
func (p *pace) moved(n int, took time.Duration) {
	if p.stall > 0 {
		p.spent = max(0, p.spent+took-time.Duration(n)*p.perByte)
	}
}
