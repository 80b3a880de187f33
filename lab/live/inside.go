package live

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
)

// looksPer is how often the proxy's metrics are read in a stretch of record.Inside. A reading
// takes proxy and generator about a millisecond, so it should not be often.
const looksPer = 2

// looked is what came of watching.
type looked struct {
	inside *record.Inside
	err    error
}

// watch reads the proxy's metrics over the planned time d of a trial that began at began, and
// returns what was seen inside. backends are the URLs of the endpoints, in their order.
func watch(ctx context.Context, admin string, backends []string, began time.Time, d time.Duration) looked {
	v := newViewer(backends, d)
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	every := v.inside.Bin / looksPer
	for look := range record.BinCount(d, v.inside.Bin) * looksPer {
		timer := time.NewTimer(time.Until(began.Add(every * time.Duration(look+1))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return looked{err: ctx.Err()}
		}
		m, err := readMetrics(client, admin)
		if err != nil {
			return looked{err: err}
		}
		v.look(m, look/looksPer)
	}
	v.inside.Decisions = v.counts.OverTime()
	return looked{inside: v.inside}
}

// viewer makes one record.Inside of many readings.
type viewer struct {
	endpoints []string // host:port
	inside    *record.Inside
	counts    record.Counts
	decisions decisions // as of the reading before
	rejected  float64
}

func newViewer(backends []string, d time.Duration) *viewer {
	v := &viewer{inside: record.NewInside(d, len(backends))}
	for _, text := range backends {
		host := text
		if u, err := url.Parse(text); err == nil {
			host = u.Host
		}
		v.endpoints = append(v.endpoints, host)
	}
	v.counts = make(record.Counts, record.BinCount(d, v.inside.Bin))
	return v
}

// look takes in a reading of the metrics in a stretch.
func (v *viewer) look(m metrics, bin int) {
	now := m.decisions()
	for mode, reasons := range now.minus(v.decisions) {
		for reason, n := range reasons {
			v.counts[bin][mode][reason] += n
		}
	}
	v.decisions = now
	in := v.inside
	for _, s := range m["evenkeel_pending_attempts"] {
		if e := slices.Index(v.endpoints, s.labels["endpoint"]); e >= 0 {
			in.Pending[e][bin] += s.value / looksPer
		}
	}
	for _, s := range m["evenkeel_breaker_state"] {
		e := slices.Index(v.endpoints, s.labels["endpoint"])
		if e < 0 || s.value == 0 {
			continue
		}
		switch s.labels["state"] {
		case core.Open.String():
			v.stood(in.Open, e, bin)
		case core.HalfOpen.String():
			v.stood(in.HalfOpen, e, bin)
		}
	}
	if limit, any := m.sum("evenkeel_pool_concurrency_limit"); any {
		v.limited(m, limit, bin)
	}
	v.refused(m, bin)
}

// stood notes that a breaker stood so.
func (v *viewer) stood(by [][]float64, endpoint, bin int) {
	if by[endpoint] == nil {
		by[endpoint] = make([]float64, len(v.counts))
	}
	by[endpoint][bin] += 1.0 / looksPer
}

// limited notes how the limit of the pool stood.
func (v *viewer) limited(m metrics, limit float64, bin int) {
	l := v.inside.Limiter
	if l == nil {
		n := len(v.counts)
		l = &record.LimiterOverTime{Limit: make([]float64, n), InFlight: make([]float64, n), Waiting: make([]float64, n)}
		v.inside.Limiter = l
	}
	inFlight, _ := m.sum("evenkeel_pool_in_flight_requests")
	waiting, _ := m.sum("evenkeel_pool_waiting_requests")
	l.Limit[bin] += limit / looksPer
	l.InFlight[bin] += inFlight / looksPer
	l.Waiting[bin] += waiting / looksPer
}

// refused notes how many more requests were turned away without an attempt.
func (v *viewer) refused(m metrics, bin int) {
	var total float64
	for _, s := range m["evenkeel_rejections_total"] {
		switch s.labels["reason"] {
		case core.NoEndpoint.String(), core.QueueFull.String(), core.QueueTimeout.String(), core.Shed.String():
			total += s.value
		}
	}
	if total > v.rejected {
		if v.inside.Rejected == nil {
			v.inside.Rejected = make([]uint64, len(v.counts))
		}
		v.inside.Rejected[bin] += uint64(total - v.rejected)
	}
	v.rejected = total
}
