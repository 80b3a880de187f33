package live

import (
	"fmt"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/record"
)

// joined is what the two sides of a trial's requests say together.
type joined struct {
	entries  []backend.Entry // by sequence number, then by arrival
	p50, p99 time.Duration   // of what successes took beyond their time in the server
	wrong    string          // how the two contradict each other; empty when they do not
}

// join holds the requests, in order, against what the servers say of them, and fills in how
// many attempts reached a server.
func join(requests []record.Request, entries []backend.Entry) joined {
	slices.SortStableFunc(entries, func(a, b backend.Entry) int {
		if a.Seq != b.Seq {
			return int(min(max(a.Seq-b.Seq, -1), 1))
		}
		return int(min(max(a.Arrived-b.Arrived, -1), 1))
	})
	j := joined{entries: entries}
	var beyond []float64
	next := 0
	for i := range requests {
		r := &requests[i]
		for next < len(entries) && entries[next].Seq < r.Seq {
			j.complain("server %d was sent request %d, which nobody planned", entries[next].Server, entries[next].Seq)
			next++
		}
		from := next
		for next < len(entries) && entries[next].Seq == r.Seq {
			next++
		}
		mine := entries[from:next]
		r.Attempts = len(mine)
		if r.Endpoint < 0 {
			continue
		}
		at := slices.IndexFunc(mine, func(e backend.Entry) bool { return e.Server == r.Endpoint && e.Code == r.Code })
		if at < 0 {
			j.complain("request %d was answered %d by server %d, which does not know of it", r.Seq, r.Code, r.Endpoint)
			continue
		}
		if r.OK() && len(mine) == 1 {
			beyond = append(beyond, float64(r.ServiceTime()-mine[at].Done.Sub(mine[at].Arrived)))
		}
	}
	if next < len(entries) {
		j.complain("server %d was sent request %d, which nobody planned", entries[next].Server, entries[next].Seq)
	}
	if len(beyond) > 0 {
		slices.Sort(beyond)
		j.p50 = time.Duration(stat.Quantile(0.5, stat.Empirical, beyond, nil))
		j.p99 = time.Duration(stat.Quantile(0.99, stat.Empirical, beyond, nil))
	}
	return j
}

// complain keeps the first contradiction.
func (j *joined) complain(format string, args ...any) {
	if j.wrong == "" {
		j.wrong = fmt.Sprintf(format, args...)
	}
}
