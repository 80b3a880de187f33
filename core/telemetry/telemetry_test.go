package telemetry

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// gate is a breaker that does as it is told.
type gate struct {
	verdict core.Verdict
	state   core.State
}

func (g *gate) Peek(core.Instant) core.Verdict { return g.verdict }
func (g *gate) State(core.Instant) core.State  { return g.state }
func (g *gate) Acquire(_ core.Instant, forced bool) (core.Permit, bool) {
	return 0, g.verdict.Open() || forced
}
func (g *gate) Release(core.Permit, core.Instant)               {}
func (g *gate) Answered(core.Permit, core.Instant, core.Sample) {}
func (g *gate) Settle(core.Permit, core.Instant, core.Sample)   {}

// estimator knows what it is told.
type estimator struct{ cost, latency float64 }

func (e *estimator) Cost(core.Instant) float64            { return e.cost }
func (e *estimator) Latency(core.Instant) (float64, bool) { return e.latency, false }
func (e *estimator) Begin(core.Instant)                   {}
func (e *estimator) Answered(core.Instant, core.Sample)   {}
func (e *estimator) End(now core.Instant, s core.Sample)  {}

// moody is a picker that is in a mode.
type moody struct {
	pick.RoundRobin
	mode   core.Mode
	reason core.Reason
}

func (p *moody) Mode() (core.Mode, core.Reason) { return p.mode, p.reason }

// bench is a pool of two endpoints, a and b, its router watched.
type bench struct {
	metrics    *Metrics
	pool       *Pool
	router     *core.Router
	picker     *moody
	gates      map[string]*gate
	estimators map[string]*estimator
}

func at() core.Instant { return 0 }

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{
		metrics:    New("v1.2.3"),
		picker:     &moody{},
		gates:      map[string]*gate{},
		estimators: map[string]*estimator{"a:80": {}},
	}
	b.pool = b.metrics.Pool("web", at)
	b.router = core.NewRouter(core.Config{
		Driver: core.Driver{Source: rand.NewPCG(1, 2), Observe: b.pool.Observe},
		Picker: b.picker,
		Equip: func(m *core.Member) core.Parts {
			b.gates[m.Key] = &gate{}
			parts := core.Parts{Gates: []core.Gate{b.gates[m.Key]}}
			if e := b.estimators[m.Key]; e != nil {
				parts.Estimator = e
			}
			return parts
		},
	})
	b.update(t, "a:80", "b:80")
	b.pool.Watch(b.router)
	return b
}

func (b *bench) update(t testing.TB, keys ...string) {
	t.Helper()
	var endpoints []core.Endpoint
	for _, k := range keys {
		endpoints = append(endpoints, core.Endpoint{Key: k, Weight: 1})
	}
	if err := b.router.Update(0, endpoints); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) begin(t testing.TB) *core.Lease {
	t.Helper()
	var ask core.Ask
	var lease core.Lease
	if !b.router.Begin(0, &ask, &lease) {
		t.Fatal("no lease")
	}
	return &lease
}

// read gathers the series of the evenkeel families with that prefix: name and labels
// to value (a histogram's is its count).
func read(t testing.TB, m *Metrics, prefix string) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "evenkeel_")
		if !ours || !strings.HasPrefix(name, prefix) {
			continue
		}
		for _, s := range f.GetMetric() {
			series[name+labels(s)] = value(s)
		}
	}
	return series
}

func labels(s *dto.Metric) string {
	var pairs []string
	for _, l := range s.GetLabel() {
		pairs = append(pairs, l.GetName()+"="+l.GetValue())
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func value(s *dto.Metric) float64 {
	switch {
	case s.Counter != nil:
		return s.Counter.GetValue()
	case s.Gauge != nil:
		return s.Gauge.GetValue()
	}
	return float64(s.Histogram.GetSampleCount())
}

// above drops the series at zero.
func above(series map[string]float64) map[string]float64 {
	for name, v := range series {
		if v == 0 {
			delete(series, name)
		}
	}
	return series
}

// The numbers that the package comment promises.
func TestCardinality(t *testing.T) {
	b := newBench(t)
	b.estimators["a:80"].latency = 1
	b.update(t, "a:80")
	b.pool.Forget("b:80")
	b.metrics.Route("all")
	count := map[string]int{}
	families, err := b.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			n := 1
			if h := s.Histogram; h != nil {
				n = len(h.Bucket) + 3 // +Inf, sum, count
			}
			switch l := labels(s); {
			case strings.Contains(l, "endpoint="):
				count["endpoint"] += n
			case strings.Contains(l, "pool="):
				count["pool"] += n
			case strings.Contains(l, "route="):
				count["route"] += n
			}
		}
	}
	want := map[string]int{"route": 49, "pool": 15, "endpoint": 44}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBuckets(t *testing.T) {
	b := Buckets()
	if !slices.IsSorted(b) || b[0] != 0.0005 || b[len(b)-1] != 60 {
		t.Errorf("buckets %v", b)
	}
}

func scrape(t testing.TB, m *Metrics, accept string) (string, http.Header) {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String(), w.Result().Header
}

// busy has a series of everything.
func busy(t testing.TB) *bench {
	b := newBench(t)
	b.metrics.Route("all").Finished(200, time.Millisecond)
	b.estimators["a:80"].latency = 1
	b.begin(t).Settle(core.Instant(time.Second), core.Sample{})
	return b
}

func TestHandler(t *testing.T) {
	b := busy(t)
	text, _ := scrape(t, b.metrics, "text/plain")
	for _, line := range []string{
		`evenkeel_build_info{goversion="go1.`,
		`version="v1.2.3"} 1`,
		`evenkeel_requests_total{code="2xx",route="all"} 1`,
		`evenkeel_request_duration_seconds_bucket{route="all",le="0.001"} 1`,
		`evenkeel_request_duration_seconds_bucket{route="all",le="0.0005"} 0`,
		`evenkeel_breaker_state{endpoint="a:80",pool="web",state="half-open"} 0`,
		"go_goroutines ",
		"process_cpu_seconds_total ",
		"promhttp_metric_handler_errors_total",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the text has no %s", line)
		}
	}
	for accept, want := range map[string]string{
		"application/openmetrics-text;version=1.0.0":                                                       "application/openmetrics-text",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7": "application/vnd.google.protobuf",
	} {
		if _, h := scrape(t, b.metrics, accept); !strings.HasPrefix(h.Get("Content-Type"), want) {
			t.Errorf("asked for %s, got %s", accept, h.Get("Content-Type"))
		}
	}
}

// What `promtool check metrics` checks.
func TestLint(t *testing.T) {
	text, _ := scrape(t, busy(t).metrics, "text/plain")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Metrics do not meet in a registry that everybody shares.
func TestRegistriesAreSeparate(t *testing.T) {
	a, b := New("a"), New("b")
	a.Route("all").Finished(200, 0)
	if got := above(read(t, b, "re")); len(got) != 0 {
		t.Errorf("the other one has %v", got)
	}
}
