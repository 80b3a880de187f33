// Package stat turns the trials of an experiment into numbers.
//
// The unit is the trial, not the request: requests of one trial are
// autocorrelated, so an interval computed from them is two to three times too
// narrow however long the trial is (lab.md §3.1). A trial is therefore reduced to
// figures while it is played (Digester), and a subject is described by the median of
// its trials' figures (Summarise). Whether two subjects differ is said by verdicts
// (Judge), and whether a later result is worse than an earlier one by Compare: both
// compare trials of the same seed, which had the same work to do.
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
// Memory does not grow with the requests: their durations are counted in cells that
// grow with them, so that a percentile is known to 0.05 % (in a timeline, which is only
// looked at, to 0.8 %) and everything else exactly.
// What is left of a trial is a Digest, a few kilobytes; a scenario's are kept in a file
// (WriteDigests), from which summary and reports can be made at any time.
//
// Everything but the files is a pure function of its arguments; the same trials give the
// same bytes.
package stat
