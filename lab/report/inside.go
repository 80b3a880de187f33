package report

import (
	"fmt"
	"slices"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// The heights of the panels that show one trial from inside.
const (
	heatH    = 150.0
	pendingH = 130.0
	limitH   = 120.0
	modesH   = 62.0
	lateH    = 84.0
	failH    = 74.0
	rowH     = 13.0 // of an endpoint's breaker
)

// looked is the trial of a subject that was looked into: the first that is not void; nil for
// none.
func looked(of []stat.Digest) *stat.Digest {
	at := slices.IndexFunc(of, func(d stat.Digest) bool { return d.Inside != nil && d.Header.Void == "" })
	if at < 0 {
		return nil
	}
	return &of[at]
}

// pendingScale is the logarithmic scale on which all subjects of a section show what is
// pending at an endpoint; false when nothing is known.
func (s *section) pendingScale(f frame) (scale, bool) {
	most, any := 1.0, false
	for i := range s.Subjects {
		in := s.Subjects[i].inside()
		if in == nil {
			continue
		}
		any = true
		for g, row := range in.Pending {
			for _, v := range row {
				most = max(most, v/float64(s.groups[g].Members))
			}
		}
	}
	return scale{lo: 0.1, hi: roundUp(most), from: f.bottom, to: f.top, log: true}, any
}

// pending draws how many attempts were pending at an endpoint on average: a line for each
// with faults, and the range in which the others lie.
func (s *section) pending() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: pendingH - 24}
	y, any := s.pendingScale(f)
	if !any {
		return nil
	}
	x := s.timeScale(f)
	return s.each(func(sub *subject, c *canvas) {
		in := sub.inside()
		if in == nil {
			return
		}
		s.background(c, f, x)
		for _, v := range y.ticks(4) {
			c.line("grid", f.left, y.at(v), f.right, y.at(v))
			c.text("tick", "end", f.left-6, y.at(v)+3.5, number(v))
		}
		f.timeAxis(c, x)
		var sound [][]float64
		for g, row := range in.Pending {
			if !s.groups[g].Faulty && row != nil {
				sound = append(sound, scaled(row, 1/float64(s.groups[g].Members)))
			}
		}
		low, high := envelope(sound)
		bin := in.Bin.Seconds()
		c.path("range", ribbon(low, high, bin, x, y), "the endpoints without faults")
		c.path("curve sound", steps(mean(sound), bin, x, y), "their mean")
		for _, b := range s.bands {
			if !b.faulty {
				continue
			}
			var rows [][]float64
			for _, g := range b.groups {
				if in.Pending[g] != nil {
					rows = append(rows, scaled(in.Pending[g], 1/float64(s.groups[g].Members)))
				}
			}
			c.path("curve l-"+b.class, steps(mean(rows), bin, x, y), b.name)
		}
	})
}

// limits draws the limit, what is in flight and what waits, and when requests were turned
// away. Nil when no subject has a limit.
func (s *section) limits() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: limitH - 24}
	most, any := 1.0, false
	for i := range s.Subjects {
		if in := s.Subjects[i].inside(); in != nil && in.Limiter != nil {
			any = true
			for bin := range in.Limiter.Limit {
				most = max(most, in.Limiter.Limit[bin], in.Limiter.InFlight[bin]+in.Limiter.Waiting[bin])
			}
		}
	}
	if !any {
		return nil
	}
	y, x := scale{lo: 0, hi: roundUp(most), from: f.bottom, to: f.top}, s.timeScale(f)
	return s.each(func(sub *subject, c *canvas) {
		in := sub.inside()
		if in == nil || in.Limiter == nil {
			return
		}
		s.background(c, f, x)
		for _, v := range y.ticks(3) {
			c.line("grid", f.left, y.at(v), f.right, y.at(v))
			c.text("tick", "end", f.left-6, y.at(v)+3.5, number(v))
		}
		f.timeAxis(c, x)
		bin, l := in.Bin.Seconds(), in.Limiter
		zero, both := make([]float64, len(l.InFlight)), make([]float64, len(l.InFlight))
		for i := range both {
			both[i] = l.InFlight[i] + l.Waiting[i]
		}
		c.path("waiting", ribbon(l.InFlight, both, bin, x, y), "waiting")
		c.path("flight", ribbon(zero, l.InFlight, bin, x, y), "in flight")
		c.path("curve limit", steps(l.Limit, bin, x, y), "limit")
		for i, n := range in.Rejected {
			if n > 0 {
				from, to := x.at(float64(i)*bin), x.at(float64(i+1)*bin)
				c.faint("fail", from, f.bottom-5, to-from, 5, shade(n, sub.timeline.Bins, i))
			}
		}
	})
}

// shade is how dark a strip of rejections is: as the failures', by their share of what was
// planned in one trial.
func shade(n uint64, bins []stat.Bin, i int) float64 {
	if i >= len(bins) || bins[i].Count == 0 {
		return 1
	}
	return min(max(float64(n)/float64(bins[i].Count), 0.25), 1)
}

// ways are the ways of deciding that a panel of modes tells apart, from the bottom up.
var ways = []struct{ mode, reason, class, name string }{
	{core.Panic.String(), "", "m-panic", "panic"},
	{core.Fallback.String(), core.SignalThin.String(), "m-thin", "fallback: signal-thin"},
	{core.Fallback.String(), core.SignalFlat.String(), "m-flat", "fallback: signal-flat"},
	{core.Fallback.String(), "", "m-other", "fallback: other"},
	{core.Adaptive.String(), "", "m-adaptive", "adaptive"},
}

// wayOf is the place in ways of a mode and reason.
func wayOf(mode, reason string) int {
	return slices.IndexFunc(ways, func(d struct{ mode, reason, class, name string }) bool {
		return d.mode == mode && (d.reason == "" || d.reason == reason)
	})
}

// modes draws the share of the decisions made in each mode over time.
func (s *section) modes() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: modesH - 24}
	x, y := s.timeScale(f), scale{lo: 0, hi: 1, from: f.bottom, to: f.top}
	if !slices.ContainsFunc(s.Subjects, func(sub subject) bool { return sub.inside() != nil }) {
		return nil
	}
	return s.each(func(sub *subject, c *canvas) {
		in := sub.inside()
		if in == nil || len(in.Decisions) == 0 || stat.Reference(sub.Name) {
			return
		}
		bins := len(in.Decisions[0].Counts)
		total := make([]float64, bins)
		by := make([][]float64, len(ways))
		for i := range by {
			by[i] = make([]float64, bins)
		}
		for _, d := range in.Decisions {
			at := wayOf(d.Mode, d.Reason)
			for bin, n := range d.Counts {
				total[bin] += float64(n)
				if at >= 0 {
					by[at][bin] += float64(n)
				}
			}
		}
		f.shareAxis(c, y)
		base := make([]float64, bins)
		for i, d := range ways {
			top, any := slices.Clone(base), false
			for bin := range top {
				if by[i][bin] > 0 {
					top[bin] += by[i][bin] / total[bin]
					any = true
				}
			}
			if any {
				c.path(d.class, ribbon(base, top, in.Bin.Seconds(), x, y), d.name)
			}
			base = top
		}
		s.marks(c, f, x)
		f.timeAxis(c, x)
	})
}

// mostRows is how many endpoints' breakers have a row.
const mostRows = 12

// breakers draws a row for each endpoint whose breaker was not closed throughout.
func (s *section) breakers() []figurePanel {
	var list []figurePanel
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		p := figurePanel{panel: panel{name: sub.Name}}
		in := sub.inside()
		if in != nil {
			var rows []int
			for g := range s.groups {
				if in.Open[g] != nil || in.HalfOpen[g] != nil {
					rows = append(rows, g)
				}
			}
			if len(rows) > 0 {
				p = s.breakerRows(sub, rows)
			}
		}
		list = append(list, p)
	}
	if !slices.ContainsFunc(list, func(p figurePanel) bool { return p.body != "" }) {
		return nil
	}
	return list
}

// figurePanel is a panel of its own height.
type figurePanel struct {
	panel
	h float64
}

func (s *section) breakerRows(sub *subject, rows []int) figurePanel {
	shown := rows[:min(len(rows), mostRows)]
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: 8 + rowH*float64(len(shown))}
	x := s.timeScale(f)
	in := sub.inside()
	bin := in.Bin.Seconds()
	var c canvas
	s.background(&c, f, x)
	for r, g := range shown {
		top := f.top + rowH*float64(r)
		c.text("tick", "end", f.left-6, top+rowH-3.5, shorten(s.groups[g].Name, 9))
		c.line("grid", f.left, top+rowH, f.right, top+rowH)
		for _, state := range []struct {
			class string
			row   []float64
		}{{"open", in.Open[g]}, {"half", in.HalfOpen[g]}} {
			for from := 0; from < len(state.row); {
				v, to := state.row[from], from
				for to < len(state.row) && state.row[to] == v {
					to++
				}
				if v > 0 {
					left := x.at(float64(from) * bin)
					c.faint(state.class, left, top+2, x.at(float64(to)*bin)-left, rowH-4, max(v, 0.15))
				}
				from = to
			}
		}
	}
	f.timeAxis(&c, x)
	p := figurePanel{panel{sub.Name, c.b.String()}, f.bottom + 24}
	if more := len(rows) - len(shown); more > 0 {
		p.name += fmt.Sprintf(" (and %s more)", count(more, "endpoint"))
	}
	return p
}

// lateness draws how late the generator was at most, the median over the trials.
func (s *section) lateness() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: lateH - 24}
	var seconds []float64
	for i := range s.Subjects {
		for _, b := range s.Subjects[i].timeline.Bins {
			if b.Late != nil && *b.Late > 0 {
				seconds = append(seconds, *b.Late)
			}
		}
	}
	if len(seconds) == 0 {
		return nil
	}
	x, y := s.timeScale(f), logScale(seconds, f.bottom, f.top)
	return s.each(func(sub *subject, c *canvas) {
		f.latencyAxis(c, y, 3)
		f.timeAxis(c, x)
		bin := sub.timeline.Bin.Seconds()
		var points []point
		lift := true
		for i, b := range sub.timeline.Bins {
			if b.Late == nil {
				lift = true
				continue
			}
			points = append(points, point{x: x.at((float64(i) + 0.5) * bin), y: y.at(*b.Late), lift: lift})
			lift = false
		}
		c.path("curve sound", polyline(points), "lateness, most of each stretch")
	})
}

// failing draws the share of the requests that failed over time; nil when none did.
func (s *section) failing() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: failH - 24}
	most := 0.0
	for i := range s.Subjects {
		for _, b := range s.Subjects[i].timeline.Bins {
			if b.Count > 0 {
				most = max(most, float64(b.Errors)/float64(b.Count))
			}
		}
	}
	if most == 0 {
		return nil
	}
	x, y := s.timeScale(f), scale{lo: 0, hi: min(roundUp(most), 1), from: f.bottom, to: f.top}
	return s.each(func(sub *subject, c *canvas) {
		s.background(c, f, x)
		for _, v := range []float64{0, y.hi} {
			c.line("grid", f.left, y.at(v), f.right, y.at(v))
			c.text("tick", "end", f.left-6, y.at(v)+3.5, percentTick(v))
		}
		f.timeAxis(c, x)
		zero, share := make([]float64, len(sub.timeline.Bins)), make([]float64, len(sub.timeline.Bins))
		any := false
		for i, b := range sub.timeline.Bins {
			if b.Count > 0 {
				share[i] = float64(b.Errors) / float64(b.Count)
				any = any || b.Errors > 0
			}
		}
		if any {
			c.path("failing", ribbon(zero, share, sub.timeline.Bin.Seconds(), x, y), "failed")
		}
	})
}
