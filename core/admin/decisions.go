package admin

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/explain"
)

// Decisions answers /api/v1/decisions: what the logs keep, the newest first, with the
// time of day of each, where epoch is that of instant 0. The query may have pool, the
// name of one of them, and limit, the most decisions that are told. The handler is safe
// for concurrent use, as logs must be.
func Decisions(logs func() []*explain.Log, epoch time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		limit := maxTold
		if text := query.Get("limit"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				say(w, http.StatusBadRequest, "limit: expected a number of at least 1\n")
				return
			}
			limit = min(n, maxTold)
		}
		all, pool := logs(), query.Get("pool")
		if query.Has("pool") {
			all = slices.DeleteFunc(slices.Clone(all), func(l *explain.Log) bool { return l.Pool() != pool })
			if len(all) == 0 {
				say(w, http.StatusNotFound, "no such pool, or it keeps no decisions\n")
				return
			}
		}
		tell(w, decisionsAnswer{latest(all, limit, epoch)})
	})
}

// maxTold is the most decisions in an answer.
const maxTold = 1000

// decisionsAnswer is the answer of /api/v1/decisions.
type decisionsAnswer struct {
	Decisions []decision `json:"decisions"`
}

type decision struct {
	at         core.Instant
	Time       time.Time   `json:"time"`
	Pool       string      `json:"pool"`
	Route      string      `json:"route"`
	Attempt    int         `json:"attempt"` // of its request, from 1
	Mode       string      `json:"mode"`
	Reason     string      `json:"reason"`
	Why        string      `json:"why"`
	Winner     *string     `json:"winner"`     // null when no endpoint might take it
	Considered int         `json:"considered"` // may be more than are listed
	Candidates []candidate `json:"candidates"` // the winner first
}

type candidate struct {
	URL     string   `json:"url"`
	Verdict string   `json:"verdict"`
	Pending int      `json:"pending"`
	Weight  float64  `json:"weight"`
	Score   *float64 `json:"score"`        // what was compared, lower is better
	Cost    *float64 `json:"cost_seconds"` // null until there is an estimate
	Parts   *parts   `json:"parts"`        // null likewise
}

// parts are what the cost is made of.
type parts struct {
	Latency  *float64 `json:"latency_seconds"`  // what the cost goes by of the next three
	Estimate *float64 `json:"estimate_seconds"` // as of the last sample
	Idle     *float64 `json:"idle_seconds"`     // since that
	Median   *float64 `json:"median_seconds"`   // of the pool
	Silence  *float64 `json:"silence_seconds"`  // for so long answers are owed without any
	Aside    *float64 `json:"aside_seconds"`    // for so long yet it stands aside, since it has failed
	Ramp     *float64 `json:"ramp"`             // slow start, up to 1
	Strain   *float64 `json:"strain"`           // by the endpoint's report of its load, from 1
	Fresh    bool     `json:"fresh"`
}

// latest merges what the logs keep.
func latest(logs []*explain.Log, limit int, epoch time.Time) []decision {
	list := []decision{}
	for _, l := range logs {
		for _, r := range l.Latest(limit) {
			list = append(list, told(l.Pool(), &r, epoch))
		}
	}
	slices.SortStableFunc(list, func(a, b decision) int { return cmp.Compare(b.at, a.at) })
	return list[:min(limit, len(list))]
}

func told(pool string, r *explain.Record, epoch time.Time) decision {
	d := decision{
		at:         r.At,
		Time:       epoch.Add(time.Duration(r.At)).UTC(),
		Pool:       pool,
		Route:      r.Route,
		Attempt:    r.Attempt,
		Mode:       r.Mode.String(),
		Reason:     r.Reason.String(),
		Why:        r.Merit.String(),
		Considered: r.Considered,
		Candidates: []candidate{},
	}
	if r.Winner != nil {
		url := address(r.Winner)
		d.Winner = &url
	}
	for i := range r.Listed() {
		d.Candidates = append(d.Candidates, toldOf(&r.Candidates[i]))
	}
	return d
}

func toldOf(c *core.Candidate) candidate {
	told := candidate{
		URL: address(c.Member), Verdict: c.Verdict.String(),
		Pending: c.Pending, Weight: c.Weight, Score: finite(c.Score),
	}
	if p := &c.Parts; c.Explained && p.Known {
		told.Cost = finite(p.Cost)
		told.Parts = &parts{
			Latency: finite(p.Latency), Estimate: finite(p.Estimate), Idle: finite(p.Idle),
			Median: finite(p.Median), Silence: finite(p.Silence), Aside: finite(p.Aside), Ramp: finite(p.Ramp), Strain: finite(p.Strain), Fresh: p.Fresh,
		}
	}
	return told
}
