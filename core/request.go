package core

import (
	"cmp"
	"time"
)

// Policy is what requests to a pool may do and how long they may take. The zero
// value: one attempt, no bounds in time.
type Policy struct {
	// Attempts is the most attempts per request, 1 to MaxAttempts; 0 counts as 1.
	Attempts int
	// AnswerWithin bounds each attempt from its lease to the first byte of the
	// answer; 0 for no bound. (While the client is still sending its body, the
	// driver counts from what it sent last.)
	AnswerWithin time.Duration
	// Total bounds the request from its start to the end of its answer, retries
	// and waiting included; 0 for no bound.
	Total time.Duration
	// Budget bounds the retries of all requests together; nil for no bound.
	Budget *Budget
	// Hedge says when a request is hedged; nil for never.
	Hedge *Hedge
	// Hung says when an attempt is taken for hung, and its request tried elsewhere; nil
	// for never.
	Hung *Hung
}

// Request is the state machine of one client request: what to do next, and every
// lease that it takes on the way, each settled exactly once. A driver starts it and
// then tells it what happened; each answer says what to do. Abandon ends it at any
// point. It must not be copied while it runs, and is for one goroutine at a time;
// Reset makes it fit for the next request.
type Request struct {
	Ask    Ask
	Ticket Ticket
	// Policy stands in for the pool's, where the request's route has one of its own;
	// nil (the zero value) for the pool's. It must not change while the request runs.
	// A route's policy is a copy of the pool's with other bounds: the Budget and the
	// Hedge remain those that all requests of the pool share.
	Policy *Policy

	router     *Router
	policy     *Policy // that is in force
	replayable bool
	hedged     bool // the second attempt is a hedge
	deadline   Instant
	answerBy   Instant // when the first attempt has to be answered
	hung       Instant // when it is taken for hung; Never for not at all
	attempts   int
	admission  *Admission // not nil while it has to be left
	queued     bool
	entered    Instant // when it was admitted
	said       Outcome // what the limiter was told at the answer
	told       bool    // that the limiter was told anything
	shedder    Shedder // not nil while it has to hear of the end

	leases [MaxAttempts]Lease // last: of most requests only the first is ever looked at
}

// Start begins the request at the router's pool. replayable says that it may be
// sent twice: a safe method whose body, if any, can be sent again. One that may not is
// tried again after a ConnectFailure only, when nothing was sent. The Ask is to be
// filled in before, its Tried left empty.
func (q *Request) Start(now Instant, r *Router, replayable bool) Action {
	policy := cmp.Or(q.Policy, r.Policy())
	q.router, q.policy, q.replayable, q.attempts, q.told, q.hedged = r, policy, replayable, 0, false, false
	q.deadline = Never
	if policy.Total > 0 {
		q.deadline = now.Add(policy.Total)
	}
	if policy.Budget != nil {
		policy.Budget.Request(now)
	}
	if policy.Hedge != nil {
		policy.Hedge.budget.Request(now)
	}
	if s := r.config.Shedder; s != nil && !s.Admit(now, q.Ask.Priority, r.config.Source) {
		return Action{Do: GiveUp, Failure: Shed}
	}
	if a := r.Admission(); a != nil {
		switch entry, until := a.Enter(now, &q.Ticket); entry {
		case Refused:
			return Action{Do: GiveUp, Failure: QueueFull}
		case Queued:
			q.admission, q.queued = a, true
			return Action{Do: Wait, Until: Earlier(until, q.deadline)}
		}
		q.admission = a
	}
	return q.first(now)
}

// Woken tells that the request's ticket was woken.
func (q *Request) Woken(now Instant) Action {
	q.queued = false
	action := q.first(now)
	if action.Wake == nil {
		action.Wake = q.router.Admission().Next()
	}
	return action
}

// Expired tells that the time to wait is over.
func (q *Request) Expired(now Instant) Action {
	if !q.admission.Cancel(now, &q.Ticket) {
		return q.Woken(now) // admitted at the last moment
	}
	q.admission, q.queued = nil, false
	if q.Ticket.overload && now < q.deadline {
		return Action{Do: GiveUp, Failure: Shed}
	}
	return Action{Do: GiveUp, Failure: QueueTimeout}
}

// Answered tells of the first byte of an attempt's answer. retryable says that the
// answer's status is one that another endpoint may better (see RetryableStatus).
// When the action is Try, the old attempt is settled and its answer to be thrown
// away.
func (q *Request) Answered(now Instant, attempt int, s Sample, retryable bool) Action {
	lease := &q.leases[attempt]
	if !lease.Live() {
		return Action{Do: Stay} // it was called off
	}
	lease.Answered(now, s)
	if !s.Outcome.Failed() {
		q.timed(now, attempt)
		if h := q.policy.Hung; h != nil && q.replayable && attempt == 0 {
			h.Learn(now, now.Sub(lease.Began()))
		}
		q.overtake(now, attempt)
	} else if q.rivalled(attempt) {
		lease.Settle(now, s)
		return Action{Do: Stay}
	}
	deliver := Action{Do: Deliver, Attempt: attempt, Until: q.deadline}
	if q.hedged && attempt == 1 && !s.Outcome.Failed() {
		deliver.Hedged = HedgeWon
	}
	if !retryable {
		q.learn(now, s.Outcome, true)
		q.ended(now, s.Outcome)
		return deliver
	}
	again, ok := q.again(now, q.replayable)
	if !ok {
		q.learn(now, s.Outcome, true)
		q.ended(now, s.Outcome)
		deliver.Retry = again.Retry
		return deliver
	}
	lease.Settle(now, s)
	return again
}

// Failed tells that an attempt ended without an answer, and settles it. Its
// outcome is one of Timeout, ConnectFailure and Reset.
func (q *Request) Failed(now Instant, attempt int, s Sample) Action {
	if !q.leases[attempt].Settle(now, s) {
		return Action{Do: Stay} // it was called off
	}
	if s.Outcome == Timeout {
		q.timed(now, attempt)
	}
	if q.rivalled(attempt) {
		return Action{Do: Stay}
	}
	failure := TimedOut
	switch s.Outcome {
	case ConnectFailure:
		failure = Unreachable
	case Reset:
		failure = Broken
	}
	if failure == TimedOut {
		q.learn(now, s.Outcome, false)
		return q.giveUp(now, failure, RetryNone)
	}
	again, ok := q.again(now, q.replayable || s.Outcome == ConnectFailure)
	if !ok {
		q.learn(now, s.Outcome, false)
		return q.giveUp(now, failure, again.Retry)
	}
	return again
}

// Finished tells that the delivered answer is complete, or broke off; it returns
// the ticket to be woken, or nil. A second call does nothing.
func (q *Request) Finished(now Instant, attempt int, s Sample) *Ticket {
	q.leases[attempt].Settle(now, s)
	q.learn(now, s.Outcome, false)
	return q.leave(now)
}

// Waited tells that the client is about to leave, has sent its whole request, and waits for an
// answer yet: Abandon is to follow. A driver that cannot tell whose fault it is, since the client
// was sending, leaves it out.
func (q *Request) Waited(now Instant) {
	for i := range q.attempts {
		q.leases[i].Waited(now)
	}
}

// Abandon tells that the client has left, or that the driver cannot go on: whatever
// is leased is settled as abandoned, and the queue is left. It returns the ticket
// to be woken, or nil. It does nothing to a request that has ended.
func (q *Request) Abandon(now Instant) *Ticket {
	for i := range q.attempts {
		q.leases[i].Settle(now, Sample{Outcome: Abandoned})
	}
	if q.queued && q.admission.Cancel(now, &q.Ticket) {
		q.admission = nil
	}
	q.queued = false
	q.ended(now, Abandoned)
	return q.leave(now)
}

// Attempts is how many attempts were leased so far.
func (q *Request) Attempts() int { return q.attempts }

// Lease is the lease of an attempt.
func (q *Request) Lease(attempt int) *Lease { return &q.leases[attempt] }

// Reset makes an ended request fit to be started again.
func (q *Request) Reset() {
	q.Ask, q.Ticket, q.Policy, q.router, q.attempts = Ask{}, Ticket{}, nil, nil, 0
}

func (q *Request) first(now Instant) Action {
	q.entered = now
	if now >= q.deadline {
		return q.giveUp(now, TimedOut, RetryNone)
	}
	if !q.lease(now) {
		return q.giveUp(now, NoEndpoint, RetryNone)
	}
	if q.shedder = q.router.config.Shedder; q.shedder != nil {
		q.shedder.Begun(now, q.Ask.Priority)
	}
	action := q.try(now, RetryNone)
	q.answerBy = action.Until
	q.hung = q.hungAt(now)
	if hedge := Earlier(q.hedgeAt(now), q.hung); hedge < action.Until {
		action.Hedge = hedge
	}
	return action
}

// again leases one more attempt, if the request may have one; safe says that it may be
// sent once more.
func (q *Request) again(now Instant, safe bool) (Action, bool) {
	if !safe || q.attempts >= min(q.policy.Attempts, MaxAttempts) || now >= q.deadline {
		return Action{}, false
	}
	if r := q.retry(now); r != RetrySent {
		return Action{Retry: r}, false
	}
	return q.try(now, RetrySent), true
}

// retry leases one more attempt that the budget pays for, and says what came of it.
func (q *Request) retry(now Instant) Retry {
	budget := q.policy.Budget
	if budget != nil && !budget.Allows(now) {
		return RetryNoBudget
	}
	if !q.lease(now) {
		return RetryNoEndpoint
	}
	if budget != nil {
		budget.Spend(now) // only now: a retry that cannot be sent costs nothing
	}
	return RetrySent
}

func (q *Request) lease(now Instant) bool {
	l := &q.leases[q.attempts]
	if !q.router.Begin(now, &q.Ask, l) {
		return false
	}
	q.Ask.Tried[q.attempts] = l.Member()
	q.attempts++
	return true
}

func (q *Request) try(now Instant, r Retry) Action {
	until := q.deadline
	if within := q.policy.AnswerWithin; within > 0 {
		until = Earlier(until, now.Add(within))
	}
	return Action{Do: Try, Attempt: q.attempts - 1, Until: until, Hedge: Never, Retry: r}
}

func (q *Request) giveUp(now Instant, f Failure, r Retry) Action {
	q.ended(now, outcomeOf[f])
	return Action{Do: GiveUp, Failure: f, Retry: r, Wake: q.leave(now)}
}

// outcomeOf is what a request came to that was given up after its first attempt.
var outcomeOf = [Failures]Outcome{TimedOut: Timeout, Unreachable: ConnectFailure, Broken: Reset}

// learn tells the pool's limiter what the request as a whole came to, at its answer
// and, if that was another thing, at its end. What the client has left teaches
// nothing.
func (q *Request) learn(now Instant, o Outcome, answered bool) {
	if q.admission == nil || o == Abandoned || q.told && o == q.said {
		return
	}
	s := Sample{Outcome: o, FirstAnswer: -1, Total: now.Sub(q.entered)}
	if answered {
		s.FirstAnswer = s.Total
	}
	q.told, q.said = true, o
	q.admission.Learn(now, s, &q.Ticket, q.Ask.Class)
}

// ended tells the shedder what came of the request: at its answer, or at its end if
// there was none.
func (q *Request) ended(now Instant, o Outcome) {
	if q.shedder != nil {
		q.shedder.Ended(now, q.Ask.Priority, o)
		q.shedder = nil
	}
}

func (q *Request) leave(now Instant) *Ticket {
	if q.admission == nil {
		return nil
	}
	a := q.admission
	q.admission = nil
	return a.Leave(now)
}

// RetryableStatus reports whether an answer with this status may be bettered by
// another endpoint: 502, 503 and 504.
func RetryableStatus(status int) bool { return status >= 502 && status <= 504 }
