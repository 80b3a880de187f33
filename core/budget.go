package core

import "time"

// BudgetSpan is the time over which a Budget balances.
const BudgetSpan = 10 * time.Second

// Budget bounds retries (and hedges) to a share of the requests, so that retrying
// cannot multiply an overload: over the last ten seconds at most
//
//	Ratio x requests + PerSecond x 10
//
// The floor lets a pool with little traffic retry at all. This is Finagle's and
// linkerd's budget (20 % and 10 a second over 10 s), counted in exact buckets. Safe
// for concurrent use: retries that decide at the same moment may pass the bound by
// as many as there are of them.
type Budget struct {
	ratio, perSecond float64
	spent            *Window // requests, retries
}

// NewBudget returns a budget. ratio is retries per request, at least 0; perSecond
// the floor in retries a second, at least 0.
func NewBudget(ratio, perSecond float64) *Budget {
	return &Budget{ratio: ratio, perSecond: perSecond, spent: NewWindow(BudgetSpan)}
}

// inherit has b count together with another, against its own bounds: what was spent is
// spent, and what either spends from now on.
func (b *Budget) inherit(from *Budget) { b.spent = from.spent }

// Request counts a first attempt.
func (b *Budget) Request(now Instant) { b.spent.Add(now, 1, 0) }

// Allows reports whether there is room for one more retry.
func (b *Budget) Allows(now Instant) bool {
	requests, retries := b.spent.Sum(now)
	return float64(retries)+1 <= b.ratio*float64(requests)+b.perSecond*BudgetSpan.Seconds()
}

// Spend counts a retry.
func (b *Budget) Spend(now Instant) { b.spent.Add(now, 0, 1) }
