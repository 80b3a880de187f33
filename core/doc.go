// Package core is the vocabulary and the decision kernel of evenkeel: what an
// endpoint, an attempt and an outcome are, the contracts between the parts that
// choose, guard and measure, and the [Router] that joins them.
//
// # Words
//
//   - endpoint: one address that serves requests, with a weight.
//   - pool: a named set of endpoints with one strategy and its policies.
//   - member: an endpoint as one router knows it: its gates, its estimator, what
//     is pending. Kept by key across changes of the pool.
//   - view: an immutable snapshot of a router's members. A change swaps the view.
//   - strategy: how a member is chosen. Picker: the object that chooses.
//   - request: what the client asked. Attempt: one try at one endpoint.
//   - lease: permission for one attempt at one member; answered at most once,
//     settled exactly once.
//   - outcome: how an attempt ended (see [Outcome]).
//   - hedge: a second attempt beside the first, when that has not been answered for
//     long (see [Hedge]).
//   - pending: attempts leased and not yet settled. Waiting: leased and not yet
//     answered.
//   - verdict: what a member's gates say (see [Verdict]).
//   - mode and reason: how a decision was made, and why so (see [Mode]).
//   - subject: what a lab run compares: a strategy with its limiter settings, or
//     another proxy.
//   - response time, service time, lateness: from the planned instant, from the
//     send, and how late the generator sent.
//
// # Time and chance are arguments
//
// Nothing in this package, nor in core/pick, core/breaker, core/limit,
// core/health and adaptive/..., reads a clock, starts a timer or a goroutine, or
// draws from a global source of randomness. The driver (the proxy, or the
// simulator) reads the clock once per event and passes it down as an [Instant];
// randomness comes as a math/rand/v2.Source. So the same code runs on the wall
// clock and in virtual time, and a result of the lab is a result about the
// shipped code.
//
// # The shape of a request
//
// [Request] is the state machine of one client request. It returns an [Action]
// (try this lease until then, wait until then, deliver the answer, give up for
// this reason) and is told what happened. It may hedge: then two attempts are under
// way, and what comes of one may lead to nothing new. It owns the leases, and so every lease
// is settled exactly once.
package core
