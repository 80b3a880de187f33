package core

// Verdict is what a member's gates say, from best to worst. A member's verdict is
// the worst of its gates'.
type Verdict uint8

const (
	// Ready: may take work.
	Ready Verdict = iota
	// Probing: may take a limited attempt that decides whether it is well again.
	Probing
	// Full: well, but at its limit; not even panic overrides this.
	Full
	// Barred: a breaker or a health check keeps work away; panic overrides it.
	Barred
	// Drained: taken out by its operator, or tried already by this request.
	// Nothing overrides this.
	Drained
)

var verdictNames = [...]string{"ready", "probing", "full", "barred", "drained"}

// String returns the verdict's name in the API and in reports.
func (v Verdict) String() string { return verdictNames[v] }

// Open reports whether a member with this verdict may take an attempt in the
// ordinary modes.
func (v Verdict) Open() bool { return v <= Probing }

// Mode is how a decision was made.
type Mode uint8

const (
	// Adaptive: by the strategy's own rule. (Also the name for strategies that
	// learn nothing: the strategy decided, no guard stepped in.)
	Adaptive Mode = iota
	// Fallback: round robin over the ready members, because the latency signal
	// is not to be trusted.
	Fallback
	// Panic: round robin over every member that is not drained or full, breakers
	// overridden, because too few are ready. Where latency is gone by, those that are
	// well stand in for barred ones as long as they have room (adaptive/fallback).
	Panic

	// Modes is how many modes there are.
	Modes = int(Panic) + 1
)

var modeNames = [Modes]string{"adaptive", "fallback", "panic"}

// String returns the mode's name in metrics and reports.
func (m Mode) String() string { return modeNames[m] }

// Reason is why a decision was made in its mode.
type Reason uint8

const (
	// ReasonNone goes with Adaptive.
	ReasonNone Reason = iota
	// SignalThin: too few members have a latency, or none of them a fresh one.
	SignalThin
	// SignalFlat: the members' costs are equal within noise.
	SignalFlat
	// BarredDraw: every member drawn for this one decision was barred.
	BarredDraw
	// FewReady: too small a share of the members may take work.
	FewReady

	// Reasons is how many reasons there are.
	Reasons = int(FewReady) + 1
)

var reasonNames = [Reasons]string{"none", "signal-thin", "signal-flat", "barred", "few-ready"}

// String returns the reason's name in metrics and reports.
func (r Reason) String() string { return reasonNames[r] }

// State is the state of a member's circuit breaker.
type State uint8

const (
	// Closed: work passes.
	Closed State = iota
	// Open: no work passes until its time is over.
	Open
	// HalfOpen: a quota of probes passes; they decide.
	HalfOpen

	// States is how many states there are.
	States = int(HalfOpen) + 1
)

var stateNames = [States]string{"closed", "open", "half-open"}

// String returns the state's name in metrics and reports.
func (s State) String() string { return stateNames[s] }
