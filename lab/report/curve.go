package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// first is where the curves begin, as 1/(1-q): at the median. Below it a
// logarithmic scale would give most of its height to the few fastest requests.
const first = 2.0

// tail is the part of a curve that is drawn.
func tail(curve []stat.CurvePoint) []stat.CurvePoint {
	at := slices.IndexFunc(curve, func(p stat.CurvePoint) bool { return 1/(1-p.Q) >= first })
	if at < 0 {
		return nil
	}
	return curve[at:]
}

// curves draws the upper half of every subject's percentile curve: response time
// over 1/(1-q), both logarithmic, so that the tail has the room it deserves; with the spread
// between the trials and, of live ones, what the simulator made of the same. The second
// result is false when there is nothing to draw.
func (s *section) curves() (figure, bool) {
	const w, h = 920.0, 380.0
	f := frame{left: 58, top: 14, right: w - 262, bottom: h - 44}
	var seconds []float64
	end := first
	for _, sub := range s.Subjects {
		for _, p := range append(tail(sub.curve), tail(sub.twinCurve)...) {
			seconds = append(seconds, p.Low, p.High)
			end = max(end, 1/(1-p.Q))
		}
	}
	if end == first {
		return figure{}, false
	}
	x := scale{lo: first, hi: end, from: f.left, to: f.right, log: true}
	y := logScale(seconds, f.bottom, f.top)

	var c canvas
	f.latencyAxis(&c, y, 10)
	f.tailAxis(&c, x)
	c.text("tick", "middle", (f.left+f.right)/2, h-8, "percentile of the requests, on a scale of 1/(1−q)")
	s.goal(&c, f, y)
	var ends []label
	for _, sub := range s.Subjects {
		points, spread := curveOn(sub.curve, x, y)
		if len(points) == 0 {
			continue
		}
		class := lineClass(sub.index)
		c.printf(`<g class="of-%d">`, sub.index)
		c.path(fmt.Sprintf("spread c%d", sub.index%colours), spread, "")
		c.path("curve "+class, polyline(points), sub.Name)
		if beside, _ := curveOn(sub.twinCurve, x, y); len(beside) > 0 {
			c.path("curve twin "+class, polyline(beside), sub.Name+", simulated")
		}
		c.b.WriteString("</g>\n")
		last := points[len(points)-1]
		ends = append(ends, label{text: sub.Name, class: class, index: sub.index, x: last.x, y: last.y})
	}
	labels(&c, ends, f)
	return figure{
		id: s.ID + ".percentiles", w: w, h: h, body: c.b.String(),
		title: "Response time by percentile: " + s.Scenario.Scenario + ", " + driver(s.Driver),
		desc:  s.describe(),
	}, true
}

// curveOn is the tail of a curve on two scales, and the outline of its spread; that is empty
// of a single trial.
func curveOn(curve []stat.CurvePoint, x, y scale) (points []point, spread string) {
	var high, low []point
	any := false
	for _, p := range tail(curve) {
		at := x.at(1 / (1 - p.Q))
		points = append(points, point{x: at, y: y.at(p.Seconds)})
		high, low = append(high, point{x: at, y: y.at(p.High)}), append(low, point{x: at, y: y.at(p.Low)})
		any = any || p.High > p.Low
	}
	if !any {
		return points, ""
	}
	slices.Reverse(low)
	return points, polyline(append(high, low...)) + "Z"
}

// goal draws the latency of the objective across a frame.
func (s *section) goal(c *canvas, f frame, y scale) {
	if s.Header == nil {
		return
	}
	if v := s.Header.Objective.Latency.Seconds(); v > y.lo && v < y.hi {
		c.line("goal", f.left, y.at(v), f.right, y.at(v))
		c.text("tick", "start", f.left+4, y.at(v)-4, "objective")
	}
}

// describe puts the figure into words.
func (s *section) describe() string {
	var parts []string
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		parts = append(parts, fmt.Sprintf("%s p99 %s", sub.Name, duration(sub.p99())))
	}
	return "Medians over the trials: " + strings.Join(parts, "; ") + "."
}

// colours is how many there are for lines.
const colours = 7

// lineClass gives the i-th subject one of seven colours, and a dash when the
// colours come round again.
func lineClass(i int) string {
	class := fmt.Sprintf("c%d", i%colours)
	if i >= colours {
		class += fmt.Sprintf(" dash%d", 1+(i/colours-1)%2)
	}
	return class
}

// label names a line at its end.
type label struct {
	text, class string
	index       int // of the subject
	x, y        float64
}

// labels writes names to the right of a frame.
func labels(c *canvas, list []label, f frame) {
	for i, y := range spread(list, f) {
		l := list[i]
		c.printf(`<g class="of-%d">`, l.index)
		c.path("lead", polyline([]point{{x: l.x + 3, y: l.y}, {x: f.right + 10, y: y}}), "")
		c.line("curve "+l.class, f.right+12, y, f.right+30, y)
		c.text("end", "start", f.right+35, y+3.5, shorten(l.text, 30))
		c.b.WriteString("</g>")
	}
}

// spread sorts labels by the heights of their lines' ends and returns where to
// write them: there, as far as there is room.
func spread(list []label, f frame) []float64 {
	const height = 14.0
	slices.SortStableFunc(list, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	at := make([]float64, len(list))
	next := f.top
	for i, l := range list { // push down
		at[i] = max(l.y, next)
		next = at[i] + height
	}
	limit := f.bottom + 6
	for i := len(at) - 1; i >= 0; i-- { // and back up where that went too far
		at[i] = min(at[i], limit)
		limit = at[i] - height
	}
	return at
}

// shorten cuts a text to n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
