package stat

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// Digest is what statistics and reports keep of a trial: everything but its
// requests, in a few kilobytes.
type Digest struct {
	Header  record.Header `json:"header"`
	Summary TrialSummary  `json:"summary"`
	// Curve is the percentile curve of the response times that count, in seconds;
	// MedianCurve knows at which quantiles.
	Curve    []float64 `json:"curve"`
	Timeline Timeline  `json:"timeline"`
	// Heat and Inside are of trials whose driver looked inside; Inside has a row for each of
	// the trial's Groups in place of each endpoint: what is pending there together, and the
	// mean share of open breakers.
	Heat   *Heat          `json:"heat,omitempty"`
	Inside *record.Inside `json:"inside,omitempty"`
	// Simulated is the same trial in the simulator, of a live one; see Beside.
	Simulated *Twin `json:"simulated,omitempty"`
}

// Twin is what pictures need of a trial that was simulated beside a live one. Its figures
// are TrialSummary.Simulated.
type Twin struct {
	Curve    []float64 `json:"curve"`
	Timeline Timeline  `json:"timeline"`
}

// Beside puts the digest of a simulated trial beside that of the live one: of the same
// subject, with the same seed, of the same size.
func (d *Digest) Beside(simulated Digest) {
	d.Summary.Simulated = &simulated.Summary.Figures
	d.Simulated = &Twin{simulated.Curve, simulated.Timeline}
}

// Twins are the simulated trials beside live ones, as far as there are any, with nothing but
// a header, a curve and a timeline.
func Twins(digests []Digest) []Digest {
	var list []Digest
	for i := range digests {
		if t := digests[i].Simulated; t != nil {
			list = append(list, Digest{Header: digests[i].Header, Curve: t.Curve, Timeline: t.Timeline})
		}
	}
	return list
}

// Digester digests a trial while it is played, request by request, in memory that does
// not grow with their number. NewDigester makes one; it is of one try of one trial, and
// not safe for concurrent use.
type Digester struct {
	header record.Header
	// Of the requests after the warm-up. Failures count as failed; most trials have
	// none, so all of them together are made when they are asked for.
	ok, failed histogram
	service    histogram // live only
	good       uint64    // successes within the objective
	answered   []uint64  // by endpoint
	groups     []Group
	group      []int // by endpoint

	bin  time.Duration
	bins []tally
	last *tally // the bin of the request before, most often also of the next
	from core.Instant

	step time.Duration // for the recovery
	met  []met
	err  error
}

// NewDigester returns the digester of a trial. Of the header it takes the driver, the
// times, the objective, the endpoints and the faults; what the driver counts may be
// missing. The error is a header that cannot be.
func NewDigester(h record.Header) (*Digester, error) {
	if err := check(&h); err != nil {
		return nil, inTrial(&h, err)
	}
	d := &Digester{
		header: h,
		ok:     newHistogram(fine), failed: newHistogram(fine), service: newHistogram(fine),
		answered: make([]uint64, len(h.Endpoints)),
		bin:      BinFor(h.Duration),
	}
	d.groups, d.group = Groups(&h)
	d.bins = newTallies(int((h.Duration+d.bin-1)/d.bin), len(d.groups))
	d.last = &d.bins[0]
	d.step = recoveryStep(h.Duration)
	d.met = make([]met, record.BinCount(h.Duration, d.step))
	return d, nil
}

// Add takes a request. They may come in any order. A request that was answered by an
// endpoint that does not exist makes Digest fail.
func (d *Digester) Add(r record.Request) {
	if r.Endpoint >= len(d.group) {
		if d.err == nil {
			d.err = fmt.Errorf("request %d was answered by endpoint %d of %d", r.Seq, r.Endpoint, len(d.group))
		}
		return
	}
	ok, took := r.OK(), r.ResponseTime()
	if !ok {
		took = max(took, d.header.ClientTimeout)
	}
	if b := d.binAt(r.Planned); b != nil {
		b.count++
		b.latency.add(took)
		if !ok {
			b.errors++
		}
		if r.Endpoint >= 0 {
			b.answered[d.group[r.Endpoint]]++
		}
		b.late = max(b.late, r.Sent.Sub(r.Planned))
		m := &d.met[min(int(r.Planned/core.Instant(d.step)), len(d.met)-1)]
		m.all++
		if !ok || took > d.header.Objective.Latency {
			m.missed++
		}
	}
	if r.Planned < core.Instant(d.header.WarmUp) {
		return
	}
	if ok {
		d.ok.add(took)
		if took <= d.header.Objective.Latency {
			d.good++
		}
	} else {
		d.failed.add(took)
	}
	if r.Endpoint >= 0 {
		d.answered[r.Endpoint]++
	}
	if d.header.Driver == record.Live {
		d.service.add(r.ServiceTime())
	}
}

// binAt returns the bin of an instant, nil outside of the trial.
func (d *Digester) binAt(at core.Instant) *tally {
	if since := at - d.from; since >= 0 && since < core.Instant(d.bin) {
		return d.last
	}
	i := at / core.Instant(d.bin)
	if at < 0 || i >= core.Instant(len(d.bins)) {
		return nil
	}
	d.last, d.from = &d.bins[i], i*core.Instant(d.bin)
	return d.last
}

// Digest returns what the requests so far make together with the final header, which
// has what the driver has counted: decisions, generator, void, unstable.
func (d *Digester) Digest(h record.Header) (Digest, error) {
	err := d.err
	if err == nil {
		err = check(&h)
	}
	if err != nil {
		return Digest{}, inTrial(&h, err)
	}
	all := newHistogram(fine)
	all.merge(&d.ok)
	all.merge(&d.failed)
	s := TrialSummary{
		Seed: h.Seed, Block: h.Block, Void: h.Void, Unstable: h.Unstable, Generator: generator(h.Generator),
		Figures: Figures{
			Requests:        int(all.count),
			ErrorRatio:      ratio(d.failed.count, all.count),
			GoodputRPS:      float64(d.good) / (h.Duration - h.WarmUp).Seconds(),
			WithinObjective: ratio(d.good, all.count),
			Latency:         latencyOf(&all),
			LatencyOK:       latencyOf(&d.ok),
			Shares:          d.shares(),
			Recovery:        recovery(&h, d.step, d.met),
		},
	}
	s.Modes, s.Reasons = decisions(h.Decisions)
	if h.Driver == record.Live {
		s.Service = new(latencyOf(&d.service))
	}
	done := Digest{Header: h, Summary: s, Curve: curveOf(&all), Timeline: newTimeline(d.bin, d.bins, h.Driver == record.Live)}
	if h.Inside != nil {
		done.Header.Inside, done.Inside, done.Heat = nil, d.inside(h.Inside), newHeat(d.bins)
	}
	return done, nil
}

// inside is what was seen inside, by groups in place of endpoints.
func (d *Digester) inside(of *record.Inside) *record.Inside {
	in := *of
	by := func(rows [][]float64, mean bool) [][]float64 {
		list := make([][]float64, len(d.groups))
		for e, row := range rows {
			if row == nil {
				continue
			}
			g := d.group[e]
			if list[g] == nil {
				list[g] = make([]float64, len(d.bins))
			}
			for i, v := range row {
				if mean {
					v /= float64(d.groups[g].Members)
				}
				list[g][i] += v
			}
		}
		for _, row := range list {
			for i := range row {
				row[i] = significant(row[i], 4)
			}
		}
		return list
	}
	in.Pending, in.Open, in.HalfOpen = by(of.Pending, false), by(of.Open, true), by(of.HalfOpen, true)
	return &in
}

// shares are the groups' shares of the answered requests.
func (d *Digester) shares() []Share {
	var total uint64
	for _, n := range d.answered {
		total += n
	}
	list := make([]Share, len(d.groups))
	for i, g := range d.groups {
		list[i].Endpoint = g.Name
		if g.Members > 1 {
			list[i].Members, list[i].Least, list[i].Most = g.Members, new(1.0), new(0.0)
		}
	}
	sums := make([]uint64, len(list))
	for e, n := range d.answered {
		s := &list[d.group[e]]
		sums[d.group[e]] += n
		if s.Members > 1 {
			*s.Least, *s.Most = min(*s.Least, ratio(n, total)), max(*s.Most, ratio(n, total))
		}
	}
	for i, n := range sums {
		list[i].Share = ratio(n, total)
	}
	return list
}

// check looks for a header that cannot be.
func check(h *record.Header) error {
	if h.WarmUp < 0 || h.WarmUp >= h.Duration {
		return fmt.Errorf("a warm-up of %v leaves nothing of %v to measure", h.WarmUp, h.Duration)
	}
	if h.Driver != record.Sim && h.Driver != record.Live {
		return fmt.Errorf("unknown driver %q", h.Driver)
	}
	if h.Metric != "" && !Metric(h.Metric).Valid() {
		return fmt.Errorf("unknown metric %q", h.Metric)
	}
	if h.Inside != nil {
		if expected := h.Inside.Wrong(h.Duration, len(h.Endpoints)); expected != "" {
			return fmt.Errorf("expected %s", expected)
		}
		for _, d := range h.Inside.Decisions {
			if (&Modes{}).of(d.Mode) == nil {
				return fmt.Errorf("unknown mode %q", d.Mode)
			}
		}
	}
	for _, d := range h.Decisions {
		if (&Modes{}).of(d.Mode) == nil {
			return fmt.Errorf("unknown mode %q", d.Mode)
		}
	}
	return nil
}

// inTrial says which trial an error is of.
func inTrial(h *record.Header, err error) error {
	return fmt.Errorf("stat: %s, %s, %s, seed %d: %w", h.Scenario, h.Driver, h.Subject, h.Seed, err)
}
