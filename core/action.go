package core

// Verb is what a driver is to do next for a request.
type Verb uint8

const (
	// Try: start the attempt that Action.Attempt names, whose answer must begin
	// by Action.Until. Then tell Answered or Failed; and when Action.Hedge, which is
	// before Action.Until, comes before either, tell Hedge.
	Try Verb = iota
	// Wait: stand in the queue until the ticket is woken (then tell Woken), or
	// until Action.Until (then tell Expired).
	Wait
	// Deliver: the answer of Action.Attempt goes to the client, to be complete by
	// Action.Until. Then tell Finished.
	Deliver
	// GiveUp: the request ends without an answer of an endpoint, for
	// Action.Failure. Nothing is left to tell.
	GiveUp
	// Stay: what is under way goes on. What was told of is over; an answer is to
	// be thrown away.
	Stay
)

// Failure is why a request was given up.
type Failure uint8

const (
	NoEndpoint   Failure = iota // no member may take it
	QueueFull                   // the pool is at its limit, and so is its queue
	QueueTimeout                // it stood in the queue for too long
	Shed                        // it was turned away, because there is too much to do
	TimedOut                    // the endpoint, or the whole request, took too long
	Unreachable                 // no connection to the endpoint
	Broken                      // the connection broke before the answer

	// Failures is how many failures there are.
	Failures = int(Broken) + 1
)

var failureNames = [Failures]string{
	"no-endpoint", "queue-full", "queue-timeout", "shed", "timeout", "connect-failure", "reset",
}

// String returns the failure's name in metrics and in the client's error body.
func (f Failure) String() string { return failureNames[f] }

// Status is the HTTP status that tells the client: 502 for an endpoint that could not
// be reached or broke off, 504 for one that took too long, 503 when there was none.
func (f Failure) Status() int {
	switch f {
	case TimedOut:
		return 504
	case Unreachable, Broken:
		return 502
	}
	return 503
}

// Retry is what became of the wish to try once more.
type Retry uint8

const (
	RetryNone       Retry = iota // there was no such wish
	RetrySent                    // another attempt was leased
	RetryNoBudget                // the budget is spent
	RetryNoEndpoint              // no other member may take it

	// Retries is how many there are.
	Retries = int(RetryNoEndpoint) + 1
)

var retryNames = [Retries]string{"none", "sent", "no-budget", "no-endpoint"}

// String returns the name in metrics.
func (r Retry) String() string { return retryNames[r] }

// Action is what a driver is to do next.
type Action struct {
	Do      Verb
	Attempt int
	Until   Instant // Never for no bound
	Hedge   Instant // of Try: when to tell Hedge; Never for not at all (of Stay: see Hedge)
	Failure Failure
	Retry   Retry
	Hedged  Hedging
	// Wake is another request's ticket that is admitted now and to be woken; nil
	// for none.
	Wake *Ticket
}
