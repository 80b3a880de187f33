// Package stat turns the trials of an experiment into numbers.
//
// The unit is the trial, not the request: requests of one trial are
// autocorrelated, so an interval computed from them is two to three times too
// narrow however long the trial is (lab.md §3.1). A trial is therefore reduced to
// figures (Trial), and a subject is described by the median of its trials' figures
// (Summarise). Whether two subjects differ is the business of verdicts.
//
// A trial's response times are measured from the planned instants, and a request
// that failed counts at no less than the client's timeout,
//
//	t = done - planned                       of a success
//	t = max(done - planned, client timeout)  of anything else
//
// so neither a generator that falls behind nor a balancer that fails fast looks
// quick.
//
// Everything here is a pure function of its arguments; the same trials give the
// same bytes.
package stat
