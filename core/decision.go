package core

import "slices"

// MaxCandidates is how many candidates a Decision can list: as many members as the
// default strategy draws at most.
const MaxCandidates = 16

// Merit is, in one word, what the winner of a decision won by.
type Merit uint8

const (
	// MeritNone: nobody won, or the picker does not say.
	MeritNone Merit = iota
	// Cheapest: its score was the least of those compared.
	Cheapest
	// Lot: it was drawn, from all or from those whose score was the least.
	Lot
	// Turn: it was its turn.
	Turn
	// Hashed: the key belongs to it.
	Hashed
	// OnlyOne: the pool has no other member.
	OnlyOne
	// OthersBarred: nobody else who was looked at might have taken it, and somebody was.
	OthersBarred
	// OnProbation: it was on probation, and somebody has to try it.
	OnProbation
	// Forced: its breaker would not have had it, and was overridden by panic.
	Forced

	// Merits is how many there are.
	Merits = int(Forced) + 1
)

var meritNames = [Merits]string{
	"none", "cheapest", "lot", "turn", "hashed", "only-one", "barred-others", "probing", "forced",
}

// String returns the merit's name in the API.
func (m Merit) String() string { return meritNames[m] }

// CostParts is what an estimator's cost is made of. All but the ramp, the strain and the
// flags are in seconds.
type CostParts struct {
	Cost     float64 // as Estimator.Cost has it
	Estimate float64 // what was learned of its latency, as of its last sample
	Idle     float64 // since that sample
	Median   float64 // of the pool; 0 while it is not known
	Latency  float64 // what the cost goes by of these three
	Silence  float64 // how long it has owed answers, beyond its grace; 0 while that says nothing
	Aside    float64 // how long yet it is to stand aside, since it has failed
	Ramp     float64 // the share of its traffic that it is to get, above 0 to 1
	Strain   float64 // what the cost is multiplied by for the use of itself that it reports; 1 without a report
	Known    bool    // it has had a sample; without, all but Cost, Median, Aside, Ramp and Strain is 0
	Fresh    bool    // the last sample is recent enough to be trusted
}

// Decision says why a member was chosen. The zero value is to be filled in: Router.Begin
// does so, with the help of its picker, for an Ask that has one. It is for one goroutine.
type Decision struct {
	At     Instant
	Mode   Mode
	Reason Reason
	Merit  Merit
	Winner *Member // nil when no member might take it
	// Candidates are the members that were looked at, the winner first, the others as
	// they came.
	Candidates [MaxCandidates]Candidate
	// Considered is how many were looked at, which may be more than are listed.
	Considered int

	by          Merit // the picker's word
	lead        int   // where the best so far is listed
	open, ready int   // of those considered
}

// Candidate is a member that was looked at for a decision, as it was then.
type Candidate struct {
	Member    *Member
	Verdict   Verdict
	Score     float64 // what was compared; lower is better; 0 where nothing was
	Pending   int
	Weight    float64
	Parts     CostParts
	Explained bool // the member's estimator could tell Parts
}

// Listed are the candidates that are listed.
func (d *Decision) Listed() []Candidate { return d.Candidates[:min(d.Considered, MaxCandidates)] }

// Consider notes a candidate. Does nothing on a nil Decision, and neither do Lead and By.
func (d *Decision) Consider(m *Member, v Verdict, score float64) {
	if d == nil {
		return
	}
	c := Candidate{Member: m, Verdict: v, Score: score, Pending: m.Pending(), Weight: m.Weight()}
	c.Parts, c.Explained = m.Explain(d.At)
	const last = MaxCandidates - 1
	if d.Considered > last && d.lead == last { // what is best so far stays
		d.Candidates[0], d.lead = d.Candidates[last], 0
	}
	d.Candidates[min(d.Considered, last)] = c
	d.Considered++
	if v.Open() {
		d.open++
	}
	if v == Ready {
		d.ready++
	}
}

// Lead says that the candidate noted last is the best so far, and what by.
func (d *Decision) Lead(by Merit) {
	if d == nil {
		return
	}
	d.lead, d.by = min(d.Considered, MaxCandidates)-1, by
}

// By says that it is something else that the best so far is best by.
func (d *Decision) By(by Merit) {
	if d != nil {
		d.by = by
	}
}

// begin makes ready for a choice, be it the first one, or one after a choice that was
// refused.
func (d *Decision) begin(now Instant) {
	if d != nil {
		*d = Decision{At: now}
	}
}

// first puts the chosen member in the first place, and in the list, where a picker that
// does not tell has left it out.
func (d *Decision) first(m *Member, v Verdict) {
	at := d.lead
	if d.Considered == 0 || d.Candidates[at].Member != m {
		at = slices.IndexFunc(d.Listed(), func(c Candidate) bool { return c.Member == m })
	}
	if at < 0 {
		d.Consider(m, v, 0)
		at = len(d.Listed()) - 1
	}
	won := d.Candidates[at]
	copy(d.Candidates[1:at+1], d.Candidates[:at])
	d.Candidates[0] = won
}

// conclude says that the first candidate has won, of a pool of so many members.
func (d *Decision) conclude(c Choice, members int, again bool) {
	w := &d.Candidates[0]
	d.Mode, d.Reason, d.Winner, d.Merit = c.Mode, c.Reason, w.Member, d.by
	switch {
	case w.Verdict == Barred:
		d.Merit = Forced
	case members == 1:
		d.Merit = OnlyOne
	case d.open <= 1 && d.Considered > 1:
		d.Merit = OthersBarred
	case d.by == Cheapest && w.Verdict == Probing && !again && d.ready > 0:
		d.Merit = OnProbation
	}
}
