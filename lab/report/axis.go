package report

import "time"

// frame is the rectangle inside the axes of a plot.
type frame struct{ left, top, right, bottom float64 }

// latencyAxis draws grid lines and labels of a scale of seconds on the left.
func (f frame) latencyAxis(c *canvas, y scale, most int) {
	for _, v := range y.ticks(most) {
		at := y.at(v)
		c.line("grid", f.left, at, f.right, at)
		c.text("tick", "end", f.left-6, at+3.5, tickDuration(v))
	}
}

// shareAxis draws grid lines and labels from 0 to 100 %.
func (f frame) shareAxis(c *canvas, y scale) {
	for _, v := range []float64{0, 0.5, 1} {
		at := y.at(v)
		c.line("grid", f.left, at, f.right, at)
		c.text("tick", "end", f.left-6, at+3.5, percentTick(v))
	}
}

// timeAxis draws the labels of a scale of seconds below.
func (f frame) timeAxis(c *canvas, x scale) {
	ticks := x.ticks(5)
	for _, v := range ticks {
		at := x.at(v)
		c.line("axis", at, f.bottom, at, f.bottom+4)
		anchor := "middle"
		switch { // at the ends there is no room for half a label
		case v == ticks[0]:
			anchor = "start"
		case v > x.hi*(1-nearly):
			anchor = "end"
		}
		c.text("tick", anchor, at, f.bottom+15, span(time.Duration(v*float64(time.Second))))
	}
	c.line("axis", f.left, f.bottom, f.right, f.bottom)
}

// tailAxis draws a grid and labels at the percentiles of a scale of 1/(1-q).
func (f frame) tailAxis(c *canvas, x scale) {
	for _, tail := range []float64{2, 10, 100, 1000, 1e4, 1e5} {
		if tail < x.lo || tail > x.hi*(1+nearly) {
			continue
		}
		at := x.at(tail)
		c.line("grid", at, f.top, at, f.bottom)
		c.text("tick", "middle", at, f.bottom+15, quantileName(tail))
	}
	c.line("axis", f.left, f.bottom, f.right, f.bottom)
}

// tickDuration writes a round number of seconds without needless digits.
func tickDuration(v float64) string {
	switch {
	case v < 0.9995e-3:
		return number(v*1e6) + " µs"
	case v < 0.9995:
		return number(v*1e3) + " ms"
	}
	return number(v) + " s"
}

func percentTick(v float64) string { return number(100*v) + " %" }
