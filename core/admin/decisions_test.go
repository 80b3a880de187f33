package admin

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
	"github.com/evenkeel/evenkeel/core/pick"
)

// Explain implements core.Explained.
func (e *estimator) Explain(core.Instant) core.CostParts {
	return core.CostParts{
		Cost: e.cost, Latency: e.latency, Known: e.latency > 0, Fresh: e.fresh,
		Estimate: 0.25, Idle: 1.5, Median: 0.125, Silence: 0.0625, Aside: 0.75, Ramp: 0.5, Strain: 1.5,
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("east", 3600))

// decisions are two logs: of pool web, with a decision by cost and one that found nobody,
// and of pool api, with none.
func decisions(t *testing.T) []*explain.Log {
	t.Helper()
	gates := map[string]*gate{"a:80": {}, "b:80": {}, "c:80": {verdict: core.Barred, state: core.Open}}
	r := router(t, pick.Scan{Score: func(m *core.Member, now core.Instant) float64 { return m.Cost(now) / m.Weight() }}, gates,
		map[string]*estimator{"a:80": {0.5, 0.5, true}, "b:80": {1e6, 0, false}},
		core.Endpoint{Key: "a:80", Weight: 2, Target: parse(t, "http://user:secret@a:80/?x=<&>")},
		core.Endpoint{Key: "b:80", Weight: 1, Target: stringer("say \"b\"\n")},
		core.Endpoint{Key: "c:80", Weight: 1})
	log := explain.NewLog("web", 1, 10)
	var why core.Decision
	if !r.Begin(1_500_000_000, &core.Ask{Why: &why}, new(core.Lease)) {
		t.Fatal("no lease")
	}
	log.Keep(&why, "front", 1)
	gates["a:80"].verdict, gates["b:80"].verdict = core.Full, core.Drained
	if r.Begin(2_000_000_000, &core.Ask{Why: &why}, new(core.Lease)) {
		t.Fatal("a lease, want none")
	}
	log.Keep(&why, "front", 2)
	return []*explain.Log{log, explain.NewLog("api", 1, 10)}
}

// The contract, to the byte: names, forms, order, what is null.
func TestDecisionsContract(t *testing.T) {
	logs := decisions(t)
	h := Handler(Options{Decisions: Decisions(func() []*explain.Log { return logs }, noon)})
	w := ask(h, "GET", "/api/v1/decisions")
	const want = `{"decisions":[` +
		`{"time":"2026-03-01T11:00:02Z","pool":"web","route":"front","attempt":2,"mode":"adaptive","reason":"none","why":"none","winner":null,"considered":3,"candidates":[` +
		`{"url":"http://user:xxxxx@a:80/?x=<&>","verdict":"full","pending":1,"weight":2,"score":0,"cost_seconds":0.5,"parts":` +
		`{"latency_seconds":0.5,"estimate_seconds":0.25,"idle_seconds":1.5,"median_seconds":0.125,"silence_seconds":0.0625,"aside_seconds":0.75,"ramp":0.5,"strain":1.5,"fresh":true}},` +
		`{"url":"say \"b\"\n","verdict":"drained","pending":0,"weight":1,"score":0,"cost_seconds":null,"parts":null},` +
		`{"url":"c:80","verdict":"barred","pending":0,"weight":1,"score":0,"cost_seconds":null,"parts":null}]},` +
		`{"time":"2026-03-01T11:00:01.5Z","pool":"web","route":"front","attempt":1,"mode":"adaptive","reason":"none","why":"cheapest","winner":"http://user:xxxxx@a:80/?x=<&>","considered":3,"candidates":[` +
		`{"url":"http://user:xxxxx@a:80/?x=<&>","verdict":"ready","pending":0,"weight":2,"score":0.25,"cost_seconds":0.5,"parts":` +
		`{"latency_seconds":0.5,"estimate_seconds":0.25,"idle_seconds":1.5,"median_seconds":0.125,"silence_seconds":0.0625,"aside_seconds":0.75,"ramp":0.5,"strain":1.5,"fresh":true}},` +
		`{"url":"say \"b\"\n","verdict":"ready","pending":0,"weight":1,"score":1000000,"cost_seconds":null,"parts":null},` +
		`{"url":"c:80","verdict":"barred","pending":0,"weight":1,"score":0,"cost_seconds":null,"parts":null}]}]}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" || w.Code != 200 {
		t.Errorf("got %d, %s", w.Code, got)
	}
}

func TestDecisionsQuery(t *testing.T) {
	logs := decisions(t)
	logs[1].Keep(&core.Decision{At: 1_700_000_000}, "r", 1) // between the others
	h := Handler(Options{Decisions: Decisions(func() []*explain.Log { return logs }, noon)})
	for query, want := range map[string]string{
		"":                     "web2 api1 web1",
		"?pool=web":            "web2 web1",
		"?pool=api":            "api1",
		"?limit=1":             "web2",
		"?limit=2":             "web2 api1",
		"?limit=1&pool=api":    "api1",
		"?limit=99999":         "web2 api1 web1",
		"?limit=":              "web2 api1 web1",
		"?pool=":               "404",
		"?pool=other":          "404",
		"?limit=0":             "400",
		"?limit=-1":            "400",
		"?limit=many":          "400",
		"?limit=1&pool=we%20b": "404",
	} {
		w := ask(h, "GET", "/api/v1/decisions"+query)
		var answer decisionsAnswer
		got := strconv.Itoa(w.Code)
		if w.Code == http.StatusOK {
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, d := range answer.Decisions {
				list = append(list, d.Pool+string(rune('0'+d.Attempt)))
			}
			got = strings.Join(list, " ")
		}
		if got != want {
			t.Errorf("%q: got %q (%d), want %q", query, got, w.Code, want)
		}
	}
	if len(logs) != 2 || logs[0].Pool() != "web" {
		t.Error("the query has changed the list of logs")
	}
}

// What JSON cannot say is null, and no decisions are an empty list.
func TestDecisionsAtTheEdge(t *testing.T) {
	log := explain.NewLog("web", 1, 3)
	h := Decisions(func() []*explain.Log { return []*explain.Log{log} }, noon)
	if got := ask(h, "GET", "/").Body.String(); got != `{"decisions":[]}`+"\n" {
		t.Errorf("no decisions: got %s", got)
	}
	var d core.Decision
	d.Consider(&core.Member{Key: "a"}, core.Ready, math.Inf(1))
	d.Candidates[0].Explained, d.Candidates[0].Parts = true, core.CostParts{Known: true, Cost: math.NaN(), Ramp: 1, Strain: 1}
	log.Keep(&d, "", 1)
	got := ask(h, "GET", "/").Body.String()
	if !strings.Contains(got, `"score":null,"cost_seconds":null,"parts":{`) || !strings.Contains(got, `"ramp":1`) {
		t.Errorf("got %s", got)
	}
}
