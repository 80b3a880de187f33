package report

import (
	"math"
	"slices"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// The size of a panel: one subject in a figure of many.
const (
	panelW  = 380.0
	timeH   = 190.0
	shareH  = 130.0
	gutter  = 16.0
	heading = 22.0
)

// panel is the drawing of one subject, without its name.
type panel struct {
	name string
	body string
}

// background shades the warm-up and the faults of a trial.
func (s *section) background(c *canvas, f frame, x scale) {
	if s.Header.WarmUp > 0 {
		c.rect("warm", f.left, f.top, x.at(s.Header.WarmUp.Seconds())-f.left, f.bottom-f.top)
	}
	for _, w := range windows(s.Header) {
		c.rect("window", x.at(w.from), f.top, max(x.at(w.to)-x.at(w.from), 0.5), f.bottom-f.top)
	}
}

// timelines draws p50 and p99 over time for each subject, all on one scale.
func (s *section) timelines() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: timeH - 34}
	var seconds []float64
	for _, sub := range s.Subjects {
		for _, b := range append(slices.Clone(sub.timeline.Bins), sub.twin.Bins...) {
			for _, v := range []*float64{b.P50, b.P99} {
				if v != nil {
					seconds = append(seconds, *v)
				}
			}
		}
	}
	if len(seconds) == 0 {
		return nil
	}
	y := logScale(seconds, f.bottom, f.top)
	x := scale{lo: 0, hi: s.Header.Duration.Seconds(), from: f.left, to: f.right}
	var list []panel
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		var c canvas
		s.background(&c, f, x)
		f.latencyAxis(&c, y, 5)
		sub.failures(&c, f, x)
		f.timeAxis(&c, x)
		s.goal(&c, f, y)
		c.path("curve twin low", polyline(points(sub.twin, x, y, false)), "p50, simulated")
		c.path("curve twin high", polyline(points(sub.twin, x, y, true)), "p99, simulated")
		c.path("curve low", polyline(points(sub.timeline, x, y, false)), "p50")
		c.path("curve high", polyline(points(sub.timeline, x, y, true)), "p99")
		list = append(list, panel{sub.Name, c.b.String()})
	}
	return list
}

// points is the line of the median or the 99th percentile, with gaps where a bin
// does not carry it.
func points(t stat.Timeline, x, y scale, tail bool) []point {
	var points []point
	lift := true
	bin := t.Bin.Seconds()
	for i, b := range t.Bins {
		v := b.P50
		if tail {
			v = b.P99
		}
		if v == nil {
			lift = true
			continue
		}
		points = append(points, point{x: x.at((float64(i) + 0.5) * bin), y: y.at(*v), lift: lift})
		lift = false
	}
	return points
}

// failures draws a strip along the bottom of the frame, the darker the more of the
// requests failed.
func (s *subject) failures(c *canvas, f frame, x scale) {
	const height = 5
	bin := s.timeline.Bin.Seconds()
	for i, b := range s.timeline.Bins {
		if b.Errors == 0 {
			continue
		}
		from, to := x.at(float64(i)*bin), x.at(float64(i+1)*bin)
		// The square root and a least opacity, so that one per cent can be seen at all.
		c.faint("fail", from, f.bottom-height, to-from, height, max(math.Sqrt(float64(b.Errors)/float64(b.Count)), 0.25))
	}
}

// shares draws each subject's traffic per endpoint over time, stacked.
func (s *section) shares() []panel {
	if s.Header == nil || len(s.bands) == 0 {
		return nil
	}
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: shareH - 24}
	x := scale{lo: 0, hi: s.Header.Duration.Seconds(), from: f.left, to: f.right}
	y := scale{lo: 0, hi: 1, from: f.bottom, to: f.top}
	var list []panel
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		var c canvas
		f.shareAxis(&c, y)
		sub.areas(&c, s.bands, x, y)
		for _, w := range windows(s.Header) {
			c.line("goal", x.at(w.from), f.top, x.at(w.from), f.bottom)
			c.line("goal", x.at(w.to), f.top, x.at(w.to), f.bottom)
		}
		f.timeAxis(&c, x)
		list = append(list, panel{sub.Name, c.b.String()})
	}
	return list
}

// areas stacks the bands. Where a bin has no answers, all of them have a gap.
func (s *subject) areas(c *canvas, list []band, x, y scale) {
	bins := s.timeline.Bins
	base := make([]float64, len(bins))
	for _, band := range list {
		top := make([]float64, len(bins))
		for i := range bins {
			b := &bins[i]
			top[i] = base[i]
			var answered uint64
			for _, g := range band.groups {
				answered += b.Answered[g]
			}
			if answered > 0 {
				top[i] += float64(answered) / float64(b.Answers())
			}
		}
		var d pen
		for from := 0; from < len(bins); from++ {
			to := from
			for to < len(bins) && bins[to].Answers() > 0 {
				to++
			}
			if to > from {
				s.stairs(&d, base, top, from, to, x, y)
				from = to
			}
		}
		c.path("area "+band.class, d.String(), band.name)
		base = top
	}
}

// stairs adds the outline of a band over the bins from … to-1: along its top, and
// back along its base.
func (s *subject) stairs(d *pen, base, top []float64, from, to int, x, y scale) {
	bin := s.timeline.Bin.Seconds()
	d.move(x.at(float64(from)*bin), y.at(base[from]))
	d.along(top, from, to, 1, bin, x, y)
	d.along(base, to-1, from-1, -1, bin, x, y)
	d.close()
}

// sheet lays panels out in two columns, each under its name.
func sheet(id, title, desc string, list []panel, height float64) figure {
	columns := min(2, len(list))
	rows := (len(list) + columns - 1) / columns
	var c canvas
	for i, p := range list {
		left := float64(i%columns) * (panelW + gutter)
		top := float64(i/columns) * (height + heading)
		c.text("name", "start", left+54, top+15, shorten(p.name, 48))
		c.group(left, top+heading, p.body)
	}
	return figure{
		id: id, title: title, desc: desc, body: c.b.String(),
		w: float64(columns)*(panelW+gutter) - gutter,
		h: float64(rows) * (height + heading),
	}
}
