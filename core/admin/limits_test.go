package admin

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// limiter is a limit that stays.
type limiter int

func (l limiter) Limit() int                         { return int(l) }
func (limiter) Learn(core.Instant, core.Sample, int) {}
func (l limiter) State() core.LimiterState           { return core.NewLimiterState(float64(l)) }

// limited is a gate that asks a limiter.
type limited struct {
	gate
	limit limiter
}

func (l *limited) Limiter() core.Limiter { return l.limit }

// What limits a pool and an endpoint is shown where there is such a limit.
func TestPoolsTellTheLimits(t *testing.T) {
	r := core.NewRouter(core.Config{
		Driver:    core.Driver{Source: rand.NewPCG(1, 2)},
		Picker:    &pick.RoundRobin{},
		Equip:     func(*core.Member) core.Parts { return core.Parts{Gates: []core.Gate{&limited{limit: 7}}} },
		Admission: core.NewAdmission(core.AdmissionSettings{Limiter: limiter(2), Room: 5, MaxWait: time.Second}),
	})
	if err := r.Update(0, []core.Endpoint{{Key: "a", Weight: 1}}); err != nil {
		t.Fatal(err)
	}
	var requests [3]core.Request // two are let in, and one waits
	for i := range requests {
		requests[i].Start(0, r, true)
	}
	h := Handler(Options{Now: clock, Pools: func() []Pool { return []Pool{{Name: "web", Strategy: "random", Router: r, Limiter: "vegas"}} }})
	want := `{"pools":[{"name":"web","strategy":"random","mode":"adaptive","reason":"none","endpoints":[` +
		`{"url":"a","weight":1,"verdict":"ready","breaker":"closed","pending":2,` +
		`"cost_seconds":null,"latency_seconds":null,"requests":2,"share":1,"limit":7}],` +
		`"concurrency":{"name":"vegas","limit":2,"in_flight":2,"queue":1}}]}` + "\n"
	if diff := cmp.Diff(want, ask(h, "GET", "/api/v1/pools").Body.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
