package probe

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

const (
	ms  = core.Instant(time.Millisecond)
	sec = core.Instant(time.Second)
)

// rig is a router over members 0, 1, 2 … with the estimators that a test gives them.
type rig struct {
	*core.Router
	t         testing.TB
	now       core.Instant
	endpoints []core.Endpoint
}

func newRig(t testing.TB, n int, p core.Picker, estimator func(*core.Member) core.Estimator) *rig {
	t.Helper()
	c := core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2)}, Picker: p,
		Equip: func(m *core.Member) core.Parts { return core.Parts{Estimator: estimator(m)} },
	}
	c.LoadProber, _ = p.(core.Prober)
	r := &rig{Router: core.NewRouter(c), t: t}
	for i := range n {
		r.endpoints = append(r.endpoints, core.Endpoint{Key: fmt.Sprint(i), Weight: 1})
	}
	r.update()
	return r
}

func (r *rig) update() {
	r.t.Helper()
	if err := r.Update(r.now, r.endpoints); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) member(i int) *core.Member { return r.View().Members[i] }

// begin leases for an ask, or fails the test.
func (r *rig) begin(a *core.Ask) *core.Lease {
	r.t.Helper()
	l := new(core.Lease)
	if !r.Begin(r.now, a, l) {
		r.t.Fatal("begin: got no lease")
	}
	return l
}

// taken is which member gets the next attempt, abandoned at once.
func (r *rig) taken() (key string, c core.Choice) {
	r.t.Helper()
	l := r.begin(&core.Ask{})
	l.Settle(r.now, core.Sample{Outcome: core.Abandoned})
	return l.Member().Key, l.Choice()
}

// answered is the sample of a good answer after so long, with a report.
func answered(took time.Duration, load core.LoadReport) core.Sample {
	return core.Sample{FirstAnswer: took, Total: took, Load: load}
}

// load is a report of these; -1 for what is not reported.
func load(inFlight, utilization, latency, rate, errors float64) core.LoadReport {
	return core.LoadReport{Known: true, InFlight: inFlight, Utilization: utilization, Latency: latency, Rate: rate, Errors: errors}
}
