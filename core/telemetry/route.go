package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evenkeel/evenkeel/core"
)

// StatusClientLeft is the status of a request whose client left before its answer
// was complete. It is never sent; nginx made it the name for this in logs.
const StatusClientLeft = 499

// The classes of status codes.
const (
	clientLeft = 5 // the place of "499"; the hundreds minus one for the others
	classes    = 6
)

var codes = [classes]string{"1xx", "2xx", "3xx", "4xx", "5xx", "499"}

// class is the place of a status in codes. What lies outside of 100 to 599 is to be
// treated like a server error (RFC 9110, section 15).
func class(status int) int {
	switch {
	case status == StatusClientLeft:
		return clientLeft
	case status < 100 || status > 599:
		return 4
	}
	return status/100 - 1
}

// The reasons of a rejection that are not a core.Failure.
const (
	RejectRateLimit = "rate-limit" // the rate limit of the route or the client
	RejectInFlight  = "in-flight"  // the route has as many requests in progress as it may
	RejectNoRoute   = "no-route"   // no route takes the request
	RejectMethod    = "method"     // a method that is not served: CONNECT, TRACE, or none
	RejectBadBody   = "bad-body"   // the client broke its body off, or garbled it
	RejectSlowBody  = "slow-body"  // the client stopped sending its body
	RejectLargeBody = "large-body" // a body that is larger than it may be
	RejectBadAnswer = "bad-answer" // an endpoint's answer that cannot be passed on

	RejectMalformed   = "malformed"        // a message that is no HTTP, or not framed beyond doubt
	RejectManyHeaders = "too-many-headers" // a head with too many headers, or too long
	RejectBadHost     = "bad-host"         // a Host that is none
	RejectBadTarget   = "bad-target"       // a target that cannot be forwarded as it is
	RejectAmbiguous   = "ambiguous-path"   // a path that is of one route or another, as one reads it
	RejectExpect      = "expectation"      // an Expect that is not 100-continue

	RejectOther = "other" // whatever has no name of its own
)

// Rejections returns the closed set of reasons for a rejection: those above, and the
// name of every core.Failure.
func Rejections() []string {
	reasons := []string{RejectRateLimit, RejectInFlight, RejectNoRoute, RejectMethod, RejectBadBody, RejectSlowBody, RejectLargeBody, RejectBadAnswer,
		RejectMalformed, RejectManyHeaders, RejectBadHost, RejectBadTarget, RejectAmbiguous, RejectExpect}
	for f := range core.Failures {
		reasons = append(reasons, core.Failure(f).String())
	}
	return append(reasons, RejectOther)
}

// Why a request was cut: its client was too slow.
const (
	CutSlowBody   = "slow-body"   // it did not send its body; told with 408 if it has had nothing yet
	CutSlowAnswer = "slow-answer" // it did not take its answer, or what came over an upgraded connection
)

// Cuts returns the closed set of reasons for a cut.
func Cuts() []string { return []string{CutSlowBody, CutSlowAnswer} }

// Route is the metrics of one route: how its requests ended. Make it with
// Metrics.Route. Safe for concurrent use.
type Route struct {
	metrics  *Metrics
	name     string
	finished [classes]prometheus.Counter
	duration prometheus.Observer
	rejected map[string]prometheus.Counter // read only
	other    prometheus.Counter
	cut      map[string]prometheus.Counter // read only
}

// Finished counts a request that has ended with the given status, d after it
// began: evenkeel_requests_total and evenkeel_request_duration_seconds. The code
// label is one of 1xx to 5xx, or 499 for StatusClientLeft; a status outside of 100 to
// 599 counts as 5xx. The time of a client that left counts as well: it has waited
// for at least so long, and without it a route whose endpoints hang would look fast.
func (r *Route) Finished(status int, d time.Duration) {
	r.finished[class(status)].Inc()
	r.duration.Observe(d.Seconds())
}

// Rejected counts a request that the proxy answered itself, for one of Rejections:
// evenkeel_rejections_total. Any other reason counts as RejectOther.
func (r *Route) Rejected(reason string) {
	c, ok := r.rejected[reason]
	if !ok {
		c = r.other
	}
	c.Inc()
}

// Cut counts a request that was cut because its client was too slow, for one of Cuts:
// evenkeel_cut_requests_total. For anything else nothing is counted.
func (r *Route) Cut(reason string) {
	if c := r.cut[reason]; c != nil {
		c.Inc()
	}
}

// Close deletes the route's series, after it has left the configuration. What is
// still told to r is lost.
func (r *Route) Close() {
	of := prometheus.Labels{"route": r.name}
	r.metrics.requests.DeletePartialMatch(of)
	r.metrics.requestDuration.DeletePartialMatch(of)
	r.metrics.rejections.DeletePartialMatch(of)
	r.metrics.cuts.DeletePartialMatch(of)
}
