package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one problem and where it is. Lines and columns count from one; a
// zero Line means that the place is not known, an empty File that there is none
// (a setting that came from a flag). For a value of [Document.Set], File is its
// origin.
type Error struct {
	File      string
	Line, Col int
	Message   string
}

// Error returns "file:line:col: message", without what is not known.
func (e Error) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line == 0:
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Message)
}

// Errors are all the problems of a document.
type Errors []Error

// Error returns one line for each problem, sorted by position and without
// repetitions.
func (e Errors) Error() string {
	var b strings.Builder
	for i, err := range e.sorted() {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Err returns nil when there is no problem, and else the problems sorted by
// position and without repetitions.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e.sorted()
}

// sorted returns a sorted copy. Problems at the same position keep the order in
// which they were found.
func (e Errors) sorted() Errors {
	sorted := make(Errors, 0, len(e))
	seen := make(map[Error]bool, len(e))
	for _, err := range e {
		if !seen[err] {
			seen[err] = true
			sorted = append(sorted, err)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return sorted
}

// Report is how validation speaks of a problem: which value, and what was
// expected of it. [Document.Reportf] is one. Functions that validate a part take
// a Report, so that the same rules serve wherever that part is embedded, and for
// settings that came from flags.
type Report func(path, format string, args ...any)

// At returns a Report for the part at the prefix: what is reported there at
// "name" arrives at "prefix.name", and at "" at the prefix itself.
func (r Report) At(prefix string) Report {
	return func(path, format string, args ...any) {
		r(join(prefix, path), format, args...)
	}
}
