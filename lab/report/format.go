package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// none stands where a sample is too small to carry a figure.
const none = "–"

// duration writes seconds with three significant digits and the unit that suits
// them; nil is none.
func duration(s *float64) string {
	if s == nil {
		return none
	}
	v := *s
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) < 0.9995e-6:
		return significant(v*1e9) + " ns"
	case math.Abs(v) < 0.9995e-3:
		return significant(v*1e6) + " µs"
	case math.Abs(v) < 0.9995:
		return significant(v*1e3) + " ms"
	}
	return significant(v) + " s"
}

// significant writes three significant digits, and all those before the point.
func significant(v float64) string {
	switch a := math.Abs(v); {
	case a >= 99.95:
		return group(strconv.FormatFloat(v, 'f', 0, 64))
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// group puts a thin space between thousands, from ten thousand on.
func group(digits string) string {
	if len(digits) < 5 {
		return digits
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "\u2009" + digits[at:]
	}
	return digits
}

// percent writes a ratio so that nothing and next to nothing differ, and so do
// everything and almost everything.
func percent(r float64) string {
	p := 100 * r
	switch {
	case p == 0:
		return "0"
	case p == 100:
		return "100 %"
	case p < 0.01:
		return "<0.01 %"
	case p > 99.99 && p < 100:
		return ">99.99 %"
	case p < 1 || p > 99 && p < 100:
		return strconv.FormatFloat(p, 'f', 2, 64) + " %"
	case p < 99.95:
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// span writes a length or a position in time in the largest unit that makes it a
// short number: 10s as "10 s", 5m0s as "5 min".
func span(d time.Duration) string {
	switch {
	case d >= 2*time.Hour && d%(30*time.Minute) == 0:
		return number(d.Hours()) + " h"
	case d >= 2*time.Minute && d%(30*time.Second) == 0:
		return number(d.Minutes()) + " min"
	case d == 0 || d >= time.Second:
		return number(d.Round(time.Millisecond).Seconds()) + " s"
	case d >= time.Millisecond:
		return number(1e3*d.Round(time.Microsecond).Seconds()) + " ms"
	}
	return number(1e6*d.Seconds()) + " µs"
}

// count writes a number of things: "1 trial", "3 trials".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %ss", group(strconv.Itoa(n)), one)
}

// quantileName names a percentile by its reciprocal tail: 100 is p99.
func quantileName(tail float64) string {
	if tail == 2 {
		return "p50"
	}
	digits := int(math.Round(math.Log10(tail)))
	nines := strings.Repeat("9", digits)
	switch {
	case digits == 1:
		return "p90"
	case digits == 2:
		return "p99"
	}
	return "p" + nines[:2] + "." + nines[2:]
}

// number writes a round number, free of the noise of its last bits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
