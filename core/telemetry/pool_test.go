package telemetry

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

func TestPoolCountsAttempts(t *testing.T) {
	b := newBench(t)
	// Round robin: a gets the even outcomes, b the odd ones; abandoned is odd.
	for o := range core.Outcomes {
		b.begin(t).Settle(core.Instant(time.Second), core.Sample{Outcome: core.Outcome(o)})
	}
	got := above(read(t, b.metrics, "attempt"))
	want := map[string]float64{
		"attempts_total{endpoint=a:80,outcome=success,pool=web}":         1,
		"attempts_total{endpoint=b:80,outcome=client-error,pool=web}":    1,
		"attempts_total{endpoint=a:80,outcome=server-error,pool=web}":    1,
		"attempts_total{endpoint=b:80,outcome=throttled,pool=web}":       1,
		"attempts_total{endpoint=a:80,outcome=timeout,pool=web}":         1,
		"attempts_total{endpoint=b:80,outcome=connect-failure,pool=web}": 1,
		"attempts_total{endpoint=a:80,outcome=reset,pool=web}":           1,
		"attempts_total{endpoint=b:80,outcome=abandoned,pool=web}":       1,
		"attempts_total{endpoint=a:80,outcome=overtaken,pool=web}":       1,
		"attempt_duration_seconds{endpoint=a:80,pool=web}":               4, // not the overtaken one
		"attempt_duration_seconds{endpoint=b:80,pool=web}":               3, // not the abandoned one
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAttemptDurationIsTotal(t *testing.T) {
	b := newBench(t)
	lease := b.begin(t)
	lease.Answered(core.Instant(10*time.Millisecond), core.Sample{})
	lease.Settle(core.Instant(1500*time.Millisecond), core.Sample{})
	families, err := b.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "evenkeel_attempt_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleSum() != 1.5 {
			t.Errorf("an attempt of 1.5 s was timed as %v s", h.GetSampleSum())
		}
		if len(h.GetBucket()) != len(Buckets()) {
			t.Errorf("%d classic buckets, want %d", len(h.GetBucket()), len(Buckets()))
		}
		if h.Schema == nil || h.GetSchema() != 3 || len(h.GetPositiveSpan()) != 1 {
			t.Errorf("not a native histogram of schema 3: %v", h)
		}
		return
	}
	t.Error("no such histogram")
}

// What starts at zero: every word that can occur, and no other.
func TestPoolStartsAtZero(t *testing.T) {
	b := newBench(t)
	b.update(t, "a:80")
	b.pool.Forget("b:80")
	want := map[string]float64{}
	for _, s := range []string{
		"decisions_total{mode=adaptive,pool=web,reason=none}",
		"decisions_total{mode=fallback,pool=web,reason=signal-thin}",
		"decisions_total{mode=fallback,pool=web,reason=signal-flat}",
		"decisions_total{mode=fallback,pool=web,reason=barred}",
		"decisions_total{mode=panic,pool=web,reason=few-ready}",
		"retries_total{pool=web,result=sent}",
		"retries_total{pool=web,result=no-budget}",
		"retries_total{pool=web,result=no-endpoint}",
		"breaker_transitions_total{endpoint=a:80,from=closed,pool=web,to=open}",
		"breaker_transitions_total{endpoint=a:80,from=open,pool=web,to=half-open}",
		"breaker_transitions_total{endpoint=a:80,from=half-open,pool=web,to=open}",
		"breaker_transitions_total{endpoint=a:80,from=half-open,pool=web,to=closed}",
		"breaker_transitions_total{endpoint=a:80,from=open,pool=web,to=closed}",
	} {
		want[s] = 0
	}
	got := map[string]float64{}
	for _, prefix := range []string{"decisions", "retries", "breaker_transitions"} {
		for name, v := range read(t, b.metrics, prefix) {
			got[name] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(read(t, b.metrics, "attempts_total")); n != core.Outcomes {
		t.Errorf("%d outcomes, want %d", n, core.Outcomes)
	}
}

func TestPoolCountsDecisions(t *testing.T) {
	b := newBench(t)
	m := b.router.View().Members[0]
	o := b.pool.Observe(m)
	for _, d := range decided {
		o.Picked(m, 0, core.Choice{Mode: d.mode, Reason: d.reason})
	}
	o.Picked(m, 0, core.Choice{Mode: core.Panic, Reason: core.FewReady})
	// A pair that no picker of ours gives is counted all the same.
	o.Picked(m, 0, core.Choice{Mode: core.Panic, Reason: core.SignalThin})
	want := map[string]float64{
		"decisions_total{mode=adaptive,pool=web,reason=none}":        1,
		"decisions_total{mode=fallback,pool=web,reason=signal-thin}": 1,
		"decisions_total{mode=fallback,pool=web,reason=signal-flat}": 1,
		"decisions_total{mode=fallback,pool=web,reason=barred}":      1,
		"decisions_total{mode=panic,pool=web,reason=few-ready}":      2,
		"decisions_total{mode=panic,pool=web,reason=signal-thin}":    1,
	}
	if diff := cmp.Diff(want, read(t, b.metrics, "decisions")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPoolCountsTurnsRetriesAndHedges(t *testing.T) {
	b := newBench(t)
	m := b.router.View().Members[1]
	m.Turned(0, core.Closed, core.Open)
	m.Turned(0, core.Open, core.HalfOpen)
	m.Turned(0, core.HalfOpen, core.Open)
	m.Turned(0, core.Closed, core.HalfOpen) // no breaker of ours does this
	for _, r := range []core.Retry{core.RetryNone, core.RetrySent, core.RetrySent, core.RetryNoBudget, core.RetryNoEndpoint} {
		b.pool.Retried(r)
	}
	for _, h := range []core.Hedging{core.HedgeNone, core.HedgeSent, core.HedgeSent, core.HedgeSent, core.HedgeWon, core.HedgeWon, core.HedgeNoBudget, core.HedgeNoEndpoint} {
		b.pool.Hedged(h)
	}
	want := map[string]float64{
		"breaker_transitions_total{endpoint=b:80,from=closed,pool=web,to=open}":      1,
		"breaker_transitions_total{endpoint=b:80,from=open,pool=web,to=half-open}":   1,
		"breaker_transitions_total{endpoint=b:80,from=half-open,pool=web,to=open}":   1,
		"breaker_transitions_total{endpoint=b:80,from=closed,pool=web,to=half-open}": 1,
	}
	if diff := cmp.Diff(want, above(read(t, b.metrics, "breaker_transitions"))); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	want = map[string]float64{
		"retries_total{pool=web,result=sent}":        2,
		"retries_total{pool=web,result=no-budget}":   1,
		"retries_total{pool=web,result=no-endpoint}": 1,
	}
	if diff := cmp.Diff(want, read(t, b.metrics, "retries")); diff != "" {
		t.Errorf("retries (-want +got):\n%s", diff)
	}
	want = map[string]float64{
		"hedges_total{pool=web,result=sent}":        3,
		"hedges_total{pool=web,result=won}":         2,
		"hedges_total{pool=web,result=no-budget}":   1,
		"hedges_total{pool=web,result=no-endpoint}": 1,
	}
	if diff := cmp.Diff(want, read(t, b.metrics, "hedges")); diff != "" {
		t.Errorf("hedges (-want +got):\n%s", diff)
	}
}

func TestViewIsReadAtScrapeTime(t *testing.T) {
	b := newBench(t)
	b.picker.mode, b.picker.reason = core.Fallback, core.SignalThin
	b.estimators["a:80"].cost, b.estimators["a:80"].latency = 0.5, 0.25
	*b.gates["b:80"] = gate{verdict: core.Probing, state: core.HalfOpen}
	first, second := b.begin(t), b.begin(t)
	*b.gates["b:80"] = gate{verdict: core.Barred, state: core.Open}

	read := func() map[string]float64 {
		got := map[string]float64{}
		for _, prefix := range []string{"pool_", "pending", "breaker_state", "endpoint_"} {
			for name, v := range above(read(t, b.metrics, prefix)) {
				got[name] = v
			}
		}
		return got
	}
	want := map[string]float64{
		"pool_mode{mode=fallback,pool=web}":                       1,
		"pending_attempts{endpoint=a:80,pool=web}":                1,
		"pending_attempts{endpoint=b:80,pool=web}":                1,
		"breaker_state{endpoint=a:80,pool=web,state=closed}":      1,
		"breaker_state{endpoint=b:80,pool=web,state=open}":        1,
		"endpoint_verdict{endpoint=a:80,pool=web,verdict=ready}":  1,
		"endpoint_verdict{endpoint=b:80,pool=web,verdict=barred}": 1,
		"endpoint_cost_seconds{endpoint=a:80,pool=web}":           0.5,
		"endpoint_latency_seconds{endpoint=a:80,pool=web}":        0.25,
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	first.Settle(0, core.Sample{})
	second.Settle(0, core.Sample{})
	b.estimators["a:80"].latency = 0 // cost alone, the stand-in of a member unproven
	b.update(t, "a:80")
	want = map[string]float64{
		"pool_mode{mode=fallback,pool=web}":                      1,
		"breaker_state{endpoint=a:80,pool=web,state=closed}":     1,
		"endpoint_verdict{endpoint=a:80,pool=web,verdict=ready}": 1,
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("after the update (-want +got):\n%s", diff)
	}

	b.pool.Watch(nil)
	if diff := cmp.Diff(map[string]float64{}, read()); diff != "" {
		t.Errorf("unwatched (-want +got):\n%s", diff)
	}
}

// One-hot means: every word is there, and exactly one of them is 1.
func TestOneHot(t *testing.T) {
	b := newBench(t)
	for prefix, n := range map[string]int{
		"pool_mode": core.Modes, "breaker_state{endpoint=a": core.States, "endpoint_verdict{endpoint=a": verdicts,
	} {
		family, _, _ := strings.Cut(prefix, "{")
		var count int
		var sum float64
		for name, v := range read(t, b.metrics, family) {
			if strings.HasPrefix(name, prefix) {
				count++
				sum += v
			}
		}
		if count != n || sum != 1 {
			t.Errorf("%s: %d series with sum %v, want %d with sum 1", prefix, count, sum, n)
		}
	}
}

func TestForget(t *testing.T) {
	b := newBench(t)
	late := b.begin(t) // a
	b.begin(t).Settle(0, core.Sample{})
	of := func(endpoint string) (n int) {
		for name := range read(t, b.metrics, "") {
			if strings.Contains(name, "endpoint="+endpoint) {
				n++
			}
		}
		return n
	}
	before := of("b:80")
	b.pool.Forget("a:80")
	if of("a:80") == 0 {
		t.Error("an endpoint of the pool was forgotten")
	}
	b.update(t, "b:80")
	b.pool.Forget("a:80")
	late.Settle(0, core.Sample{})
	if n := of("a:80"); n != 0 {
		t.Errorf("%d series of a departed endpoint are left", n)
	}
	if n := of("b:80"); n != before {
		t.Errorf("%d series of the other endpoint, were %d", n, before)
	}
	b.update(t, "a:80", "b:80")
	if got := read(t, b.metrics, "attempts")["attempts_total{endpoint=a:80,outcome=success,pool=web}"]; got != 0 {
		t.Errorf("an endpoint that came back starts at %v", got)
	}
	b.begin(t).Settle(0, core.Sample{})
	b.begin(t).Settle(0, core.Sample{})
	if got := read(t, b.metrics, "attempts")["attempts_total{endpoint=a:80,outcome=success,pool=web}"]; got != 1 {
		t.Errorf("an endpoint that came back counts %v, want 1", got)
	}
}

func TestPoolIsKeptUntilClosed(t *testing.T) {
	b := newBench(t)
	if b.metrics.Pool("web", at) != b.pool {
		t.Error("another pool of the same name")
	}
	other := b.metrics.Pool("other", at)
	other.Retried(core.RetrySent)
	b.pool.Close()
	for name := range read(t, b.metrics, "") {
		if strings.Contains(name, "pool=web") {
			t.Errorf("%s is still there", name)
		}
	}
	if got := read(t, b.metrics, "retries")["retries_total{pool=other,result=sent}"]; got != 1 {
		t.Errorf("the other pool has %v", got)
	}
	if b.metrics.Pool("web", at) == b.pool {
		t.Error("a closed pool was opened again")
	}
}
