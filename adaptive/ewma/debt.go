package ewma

import (
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// debt is the answers that a member owes, and since when it has been silent, in one word:
// 24 bits that count the attempts not answered yet, 40 bits of time in ticks of 2^12 ns
// (4.1 µs), which wrap after 52 days; what is more than half of that ago is in the future of
// a reader that read its clock a little earlier. The zero value owes nothing. Safe for
// concurrent use.
type debt struct{ word atomic.Uint64 }

const (
	debtBits  = 24
	debtTick  = 12
	debtTicks = 1<<(64-debtBits) - 1
)

func owe(attempts uint64, now core.Instant) uint64 {
	return uint64(now>>debtTick)&debtTicks<<debtBits | attempts
}

const debtMask = 1<<debtBits - 1

// begin notes an attempt. The silence begins with the first of them.
func (d *debt) begin(now core.Instant) {
	for {
		old := d.word.Load()
		next := old + 1
		if old&debtMask == 0 {
			next = owe(1, now)
		}
		if d.word.CompareAndSwap(old, next) {
			return
		}
	}
}

// answered notes the first byte of an answer: the silence is broken.
func (d *debt) answered(now core.Instant) {
	for {
		old := d.word.Load()
		if d.word.CompareAndSwap(old, owe(old&debtMask-1, now)) {
			return
		}
	}
}

// end notes that an attempt is over that was not answered.
func (d *debt) end() { d.word.Add(^uint64(0)) }

// telling is how many answers a member has to owe for its silence to say something. One may
// well be a long one, beside which others would be answered; that nothing comes of two, each
// of which might have been short, is no chance any more. Who hangs is given one attempt more
// for it: idle ones are asked before a member that owes one anyway.
const telling = 2

// age is how long the member has owed answers without giving any, in seconds; 0 when it owes
// fewer than are telling.
func (d *debt) age(now core.Instant) float64 {
	word := d.word.Load()
	if word&debtMask < telling {
		return 0
	}
	ticks := (uint64(now>>debtTick) - word>>debtBits) & debtTicks
	if ticks > debtTicks/2 {
		return 0
	}
	const tick = float64(1<<debtTick) / float64(time.Second)
	return float64(ticks) * tick
}
