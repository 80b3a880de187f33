// Package shed has what turns requests away before they cost anything: codel, by how
// long the queue of the pool's admission has been standing, and accept-ratio, by how
// many of the last requests came to anything.
package shed

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// CoDel is a core.Patience: it tells a queue that takes up a burst from one that only
// stands there, and does not let the second grow old.
//
// That is controlled delay (RFC 8289): a delay of up to Target is accepted, and a queue
// has an Interval to get rid of a burst, the longest round trip that matters: 5 and 100
// ms there (sections 4.2 and 4.3), and in the form below. RFC 8289 drops from the head
// of a queue of packets, at intervals that shorten. Requests are not packets: their
// senders wait, and retry. So this is its form for requests, in use at Facebook (Maurer,
// "Fail at Scale", ACM Queue 13(8), 2015): while the queue has been empty within the
// last Interval, a request may stand in it for Interval; when it has not, for Target.
// Then the newest goes first, too (adaptive LIFO): of two requests the one whose client
// has waited less is the likelier to be of use, and the others, which will not be served
// in time, leave the queue by their own short wait.
//
// A queue that has stood is empty only once there is a free place, too: where the
// service takes longer than Target, those that give up empty it all the time.
//
// It keeps no state of its own: the admission says when its queue was empty last. So
// nothing drifts while nobody comes. Safe for concurrent use.
type CoDel struct{ target, interval time.Duration }

// NewCoDel returns a CoDel. target is above 0, and interval at least as much.
func NewCoDel(target, interval time.Duration) (*CoDel, error) {
	if target <= 0 || interval < target {
		return nil, fmt.Errorf("shed: target %v, interval %v: expected the target above 0 and no longer than the interval", target, interval)
	}
	return &CoDel{target, interval}, nil
}

// Wait implements core.Patience. Whoever waits in vain is shed: it would have been
// served had there been less to do.
func (c *CoDel) Wait(now, emptied core.Instant) (most time.Duration, overload bool) {
	if c.Standing(now, emptied) {
		return c.target, true
	}
	return c.interval, true
}

// Standing implements core.Patience: the queue has not been empty for an interval.
func (c *CoDel) Standing(now, emptied core.Instant) bool { return now.Sub(emptied) >= c.interval }
