package core

import "time"

// Outcome is how an attempt ended.
type Outcome uint8

const (
	// Success is an answer with a status below 400. 304 is a success.
	Success Outcome = iota
	// ClientError is an answer with a 4xx status other than 429: the endpoint
	// did its work, and the client was wrong.
	ClientError
	// ServerError is an answer with a 5xx status, throttling aside.
	ServerError
	// Throttled is a 429, or a 503 with Retry-After: the endpoint asks for less.
	Throttled
	// Timeout is an attempt that was given up because its time had passed.
	Timeout
	// ConnectFailure is an attempt that never reached the endpoint: refused,
	// unreachable, or the connection took too long. Nothing was sent, or the endpoint
	// says that it has not looked at it; whatever it asks for can be sent elsewhere.
	ConnectFailure
	// Reset is a connection that broke before the end of the answer.
	Reset
	// Abandoned is an attempt that the client left. It teaches nothing; what a client teaches
	// that has waited in vain is told before (Waiting).
	Abandoned
	// Overtaken is an attempt that was given up because a later one of the same
	// request was answered first (see Hedge). It did not fail and did not succeed,
	// but its answer would have taken longer than its Total: of a latency, that is a
	// lower bound.
	Overtaken

	// Outcomes is how many outcomes there are.
	Outcomes = int(Overtaken) + 1
)

var outcomeNames = [Outcomes]string{
	"success", "client-error", "server-error", "throttled",
	"timeout", "connect-failure", "reset", "abandoned", "overtaken",
}

// String returns the outcome's name in metrics and reports.
func (o Outcome) String() string { return outcomeNames[o] }

// Failed reports whether the endpoint failed the attempt. An abandoned or overtaken
// attempt did not fail, and did not succeed either.
func (o Outcome) Failed() bool {
	switch o {
	case Success, ClientError, Abandoned, Overtaken:
		return false
	}
	return true
}

// OutcomeOf classifies an answer by its HTTP status code. retryAfter says whether
// the answer carried Retry-After.
func OutcomeOf(status int, retryAfter bool) Outcome {
	switch {
	case status == 429, status == 503 && retryAfter:
		return Throttled
	case status >= 500:
		return ServerError
	case status >= 400:
		return ClientError
	}
	return Success
}

// Sample is what an attempt taught.
type Sample struct {
	Outcome Outcome
	// FirstAnswer is the time from the lease to the first byte of the answer;
	// negative when there was none. Filled in by the lease.
	FirstAnswer time.Duration
	// Total is the time from the lease to the settlement. Filled in by the lease.
	Total time.Duration
	// RetryAfter is how long the endpoint asked to be left alone; 0 when it did
	// not ask.
	RetryAfter time.Duration
	// Told says, at the settlement, that the answer has taught this outcome
	// already. Filled in by the lease.
	Told bool
	// Load is what the endpoint said of its own load.
	Load LoadReport
}

// LoadReport is what an endpoint reports of its own load, in a response or to a
// probe. A negative field was not reported; the zero value of Known means that
// nothing was.
type LoadReport struct {
	Known       bool
	InFlight    float64 // requests in flight at the endpoint
	Utilization float64 // share of its capacity in use, 0 to 1 (above 1: overloaded)
	Latency     float64 // seconds that it expects for a request
	Rate        float64 // requests a second that it ends; 0 counts as not reported
	Errors      float64 // of these, failed ones a second
}
