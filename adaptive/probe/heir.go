package probe

import "github.com/evenkeel/evenkeel/core"

// Inherit implements core.Heir: the means go on, with their age. from may be at work.
func (c *Cubic) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*Cubic); ok {
		c.latency.store(old.latency.load())
		c.service.inherit(&old.service)
		c.queue.inherit(&old.queue)
		c.last.store(old.last.load())
	}
}

// Inherit implements core.Heir: the weight goes on, and since when there are reports. from may
// be at work.
func (w *Weight) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*Weight); ok {
		w.weight.store(old.weight.load())
		w.since.store(old.since.load())
		w.last.store(old.last.load())
	}
}

// Inherit implements core.Heir: the latest report goes on, with its age. from may be at work.
func (c *Counts) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*Counts); ok {
		c.others.inherit(&old.others)
	}
}

// Inherit implements core.Heir: who is out of favour stays so until its time. from may be at
// work.
func (t *Temper) Inherit(_ core.Instant, from any) {
	if old, ok := from.(*Temper); ok {
		t.failures.store(old.failures.load())
		t.until.store(old.until.load())
	}
}
