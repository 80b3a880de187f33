// Package report writes what an experiment found for people: report.html, one
// self-contained file that needs no network and no script, and report.md with SVG
// figures beside it, for code review.
//
// It shows; it does not judge. Figures come from stat.Summary, pictures from the
// digests of the trials, and whatever differs from run to run (times, machine,
// versions) from Provenance. report.md and the figures are a pure function of the
// summary, the digests and the notes: the same experiment gives the same bytes.
//
// The drawing is done here rather than by a charting library: an SVG of a few
// kilobytes with deterministic bytes can be reviewed, tested against golden
// files, and follows the reader's light or dark scheme.
package report
