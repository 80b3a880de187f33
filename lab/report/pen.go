package report

import (
	"math"
	"strconv"
	"strings"
)

// pen writes the path of an outline that goes along the axes, each stroke relative to the one
// before: half as long as with absolute places, of which a report has a hundred thousand. It
// counts in tenths of a pixel, so that nothing adds up.
type pen struct {
	b    strings.Builder
	x, y int
}

func tenths(v float64) int { return int(math.Round(10 * v)) }

// tenth writes tenths of a pixel.
func tenth(n int) string {
	s := strconv.FormatFloat(float64(n)/10, 'f', -1, 64)
	if rest, ok := strings.CutPrefix(s, "0."); ok {
		return "." + rest
	}
	if rest, ok := strings.CutPrefix(s, "-0."); ok {
		return "-." + rest
	}
	return s
}

// move begins anew.
func (p *pen) move(x, y float64) {
	p.x, p.y = tenths(x), tenths(y)
	p.b.WriteString("M" + tenth(p.x) + " " + tenth(p.y))
}

// across goes to x, upright to y.
func (p *pen) across(x float64) {
	if to := tenths(x); to != p.x {
		p.b.WriteString("h" + tenth(to-p.x))
		p.x = to
	}
}

func (p *pen) upright(y float64) {
	if to := tenths(y); to != p.y {
		p.b.WriteString("v" + tenth(to-p.y))
		p.y = to
	}
}

// close closes the outline.
func (p *pen) close() { p.b.WriteByte('z') }

func (p *pen) String() string { return p.b.String() }
