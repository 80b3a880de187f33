package telemetry

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// limiter is a core.Limiter that knows what it is told.
type limiter struct{ state core.LimiterState }

func (l *limiter) Limit() int                           { return int(l.state.Limit) }
func (l *limiter) Learn(core.Instant, core.Sample, int) {}
func (l *limiter) State() core.LimiterState             { return l.state }

// limited is a gate with a limiter.
type limited struct {
	gate
	*limiter
}

func (l *limited) Limiter() core.Limiter { return l.limiter }

// shedder is a core.Shedder in a state.
type shedder struct{ state core.ShedderState }

func (s *shedder) Admit(core.Instant, uint8, rand.Source) bool { return true }
func (s *shedder) Begun(core.Instant, uint8)                   {}
func (s *shedder) Ended(core.Instant, uint8, core.Outcome)     {}
func (s *shedder) State(core.Instant) core.ShedderState        { return s.state }

// What limiters and shedder know is read at scrape time; what they do not know, or do
// not go by, has no series.
func TestLimitsAreReadAtScrapeTime(t *testing.T) {
	of := &limiter{core.LimiterState{
		Limit: 2.5, InFlight: 3, Baseline: 0.01, Recent: 0.02, Gradient: 0.75, Queue: 1.5, Throughput: -0.5, Latency: 0.25,
	}}
	each := &limiter{core.NewLimiterState(7)}
	m := New("")
	p := m.Pool("web", at)
	admission := core.NewAdmission(core.AdmissionSettings{Limiter: of, Room: 5})
	dry := core.NewAdmission(core.AdmissionSettings{Limiter: each, DryRun: true})
	config := core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2), Observe: p.Observe}, Picker: &pick.RoundRobin{},
		Equip:     func(*core.Member) core.Parts { return core.Parts{Gates: []core.Gate{&limited{limiter: each}}} },
		Admission: admission, Shedder: &shedder{core.ShedderState{Requests: 100, Accepts: 30, Reject: 0.375}},
	}
	r := core.NewRouter(config)
	if err := r.Update(0, []core.Endpoint{{Key: "a:80", Weight: 1}}); err != nil {
		t.Fatal(err)
	}
	p.Watch(r)
	for range 5 { // two fit
		admission.Enter(0, new(core.Ticket))
	}
	limits := func() map[string]float64 {
		got := map[string]float64{}
		for _, prefix := range []string{"pool_in", "pool_waiting", "pool_beyond", "pool_shed", "pool_concurrency", "pool_limiter", "endpoint_concurrency", "endpoint_limiter"} {
			for name, v := range read(t, m, prefix) {
				got[name] = v
			}
		}
		return got
	}
	want := map[string]float64{
		"pool_in_flight_requests{pool=web}":                  2,
		"pool_waiting_requests{pool=web}":                    3,
		"pool_beyond_limit_total{pool=web}":                  0,
		"pool_shed_ratio{pool=web}":                          0.375,
		"pool_shed_window_requests{pool=web}":                100,
		"pool_shed_window_accepts{pool=web}":                 30,
		"pool_concurrency_limit{pool=web}":                   2.5,
		"pool_limiter_in_flight{pool=web}":                   3,
		"pool_limiter_baseline_seconds{pool=web}":            0.01,
		"pool_limiter_recent_seconds{pool=web}":              0.02,
		"pool_limiter_gradient{pool=web}":                    0.75,
		"pool_limiter_queue{pool=web}":                       1.5,
		"pool_limiter_correlation{pool=web,with=throughput}": -0.5,
		"pool_limiter_correlation{pool=web,with=latency}":    0.25,
		"endpoint_concurrency_limit{endpoint=a:80,pool=web}": 7,
	}
	if diff := cmp.Diff(want, limits()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, _ := scrape(t, m, "text/plain")
	if problems, err := promlint.New(strings.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}

	for range 9 {
		dry.Enter(0, new(core.Ticket))
	}
	config.Admission, config.Shedder = dry, nil
	p.Watch(core.NewRouter(config))
	want = map[string]float64{
		"pool_in_flight_requests{pool=web}": 9,
		"pool_waiting_requests{pool=web}":   0,
		"pool_beyond_limit_total{pool=web}": 2,
		"pool_concurrency_limit{pool=web}":  7,
	}
	if diff := cmp.Diff(want, limits()); diff != "" {
		t.Errorf("a dry run (-want +got):\n%s", diff)
	}
}
