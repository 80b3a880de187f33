package strict

import (
	"fmt"
	"strings"
)

// Nearest returns the valid name that a misspelt word most probably means, or ""
// when none is near. Near is one edit, and one more for every four letters, up to
// three; an edit inserts, deletes or replaces a letter or swaps two neighbours
// (Damerau's distance, restricted: no letter is edited twice). Case, and the
// difference between - and _, do not count. Of equally near names the first wins.
func Nearest(word string, valid []string) string {
	const longest = 64 // longer words are not misspelt names, and the work is quadratic
	if word == "" || len(word) > longest {
		return ""
	}
	nearest, least := "", min(3, 1+len(word)/4)+1
	for _, name := range valid {
		if len(name) > longest {
			continue
		}
		d := distance(fold(word), fold(name))
		if d < least && d < len(name) && d < len(word) {
			nearest, least = name, d
		}
	}
	return nearest
}

// Unknown returns the message for a name that is not among the valid ones:
// `unknown strategy "p2c-ewna": did you mean "p2c-ewma"?`, or, when none is near,
// the list of what was expected.
func Unknown(kind, word string, valid []string) string {
	message := fmt.Sprintf("unknown %s %s", kind, quote(word))
	if name := Nearest(word, valid); name != "" {
		return fmt.Sprintf("%s: did you mean %q?", message, name)
	}
	switch len(valid) {
	case 0:
		return message + ": expected none"
	case 1:
		return message + ": expected " + valid[0]
	}
	return message + ": expected one of " + strings.Join(valid, ", ")
}

func fold(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "_", "-")
}

// distance is the optimal string alignment distance between two words.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
