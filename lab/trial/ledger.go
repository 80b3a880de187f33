package trial

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// errLost is what a driver's bug looks like.
var errLost = errors.New("the records are not those of the schedule")

// ledger keeps account of a trial's requests as they end: which ones, in a bit each, and
// when they were planned, in a sum. The zero value is empty.
type ledger struct {
	seen []uint64 // by seq
	n    int64
	sum  uint64       // of weighed
	last core.Instant // the latest that was planned
	err  error        // the first thing that is wrong
}

// weighed is what a request adds to the sum, modulo 2^64. The weight differs from one to
// the next, so that two which have changed places are noticed.
func weighed(seq int64, planned core.Instant) uint64 { return uint64(planned) * (2*uint64(seq) + 1) }

// enter notes a request that has ended.
func (l *ledger) enter(r record.Request) {
	switch {
	case l.err != nil:
		return
	case r.Seq < 0 || r.Done < r.Planned:
		l.err = fmt.Errorf("%w: %+v cannot be", errLost, r)
		return
	case l.has(r.Seq):
		l.err = fmt.Errorf("%w: request %d ended twice", errLost, r.Seq)
		return
	}
	word := r.Seq / 64
	for word >= int64(len(l.seen)) {
		l.seen = append(l.seen, 0)
	}
	l.seen[word] |= 1 << (r.Seq % 64)
	l.n++
	l.sum += weighed(r.Seq, r.Planned)
	l.last = max(l.last, r.Planned)
}

// check holds the account against the schedule: every planned request has ended, once,
// and was planned for its instant. (Lateness makes no difference to what was planned.) An
// unstable trial may have been stopped: of it only what has ended is looked at.
func (l *ledger) check(s *scenario.Scenario, h *record.Header) error {
	if l.err != nil {
		return l.err
	}
	if s.Arrivals.Law == scenario.Closed { // there is no schedule
		if missing := l.missing(l.n); missing < l.n && h.Unstable == "" {
			return fmt.Errorf("%w: request %d is missing", errLost, missing)
		}
	} else if err := l.checkSchedule(s, h); err != nil {
		return err
	}
	if h.Unstable == "" && (l.n == 0 || l.last < core.Instant(s.WarmUp)) {
		return errors.New("no request arrives after the warm-up: there is nothing to measure (raise the rate or the duration)")
	}
	return nil
}

func (l *ledger) checkSchedule(s *scenario.Scenario, h *record.Header) error {
	var planned, ended int64
	var sum uint64
	for at := range s.Schedule(scenario.NewChance(h.Seed)) {
		if l.has(planned) {
			ended++
			sum += weighed(planned, at)
		}
		planned++
	}
	switch missing := l.missing(planned); {
	case ended < l.n:
		return fmt.Errorf("%w: %d requests ended that are not among the %d planned", errLost, l.n-ended, planned)
	case missing < planned && h.Unstable == "":
		return fmt.Errorf("%w: %d of %d requests ended, request %d is missing", errLost, l.n, planned, missing)
	case sum != l.sum:
		return fmt.Errorf("%w: some of the %d requests were planned for other instants", errLost, l.n)
	}
	return nil
}

func (l *ledger) has(seq int64) bool {
	word := seq / 64
	return word < int64(len(l.seen)) && l.seen[word]>>(seq%64)&1 != 0
}

// missing is the first request below n that has not ended; n when all have.
func (l *ledger) missing(n int64) int64 {
	for i, word := range l.seen {
		if word != ^uint64(0) {
			return min(int64(64*i+bits.TrailingZeros64(^word)), n)
		}
	}
	return min(int64(64*len(l.seen)), n)
}
