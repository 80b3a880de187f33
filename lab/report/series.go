package report

import "github.com/evenkeel/evenkeel/lab/record"

// inside is what was seen of the subject's proxies in its first trial; nil for nothing.
func (s *subject) inside() *record.Inside {
	if s.seen == nil {
		return nil
	}
	return s.seen.Inside
}

// timeScale is the time of a section's trials across a frame.
func (s *section) timeScale(f frame) scale {
	return scale{lo: 0, hi: s.Header.Duration.Seconds(), from: f.left, to: f.right}
}

// marks draws where faults begin and end, on what covers its background.
func (s *section) marks(c *canvas, f frame, x scale) {
	for _, w := range windows(s.Header) {
		c.line("goal", x.at(w.from), f.top, x.at(w.from), f.bottom)
		c.line("goal", x.at(w.to), f.top, x.at(w.to), f.bottom)
	}
}

// each draws a panel for each subject; it is empty where there is nothing to draw, or no
// trial was looked into and the drawing needs one.
func (s *section) each(draw func(sub *subject, c *canvas)) []panel {
	var list []panel
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		var c canvas
		if sub.seen != nil || len(sub.timeline.Bins) > 0 {
			draw(sub, &c)
		}
		list = append(list, panel{sub.Name, c.b.String()})
	}
	return list
}

// scaled is a series times a factor.
func scaled(row []float64, by float64) []float64 {
	list := make([]float64, len(row))
	for i, v := range row {
		list[i] = v * by
	}
	return list
}

// envelope are the least and the most of several series, stretch by stretch.
func envelope(rows [][]float64) (low, high []float64) {
	for _, row := range rows {
		if low == nil {
			low, high = append(low, row...), append(high, row...)
			continue
		}
		for i, v := range row {
			low[i], high[i] = min(low[i], v), max(high[i], v)
		}
	}
	return low, high
}

// mean is the mean of several series; nil of none.
func mean(rows [][]float64) []float64 {
	var sum []float64
	for _, row := range rows {
		if sum == nil {
			sum = make([]float64, len(row))
		}
		for i, v := range row {
			sum[i] += v / float64(len(rows))
		}
	}
	return sum
}

// steps is the line of a series of stretches, a step each.
func steps(row []float64, bin float64, x, y scale) string {
	if len(row) == 0 {
		return ""
	}
	var p pen
	p.move(x.at(0), y.at(row[0]))
	p.along(row, 0, len(row), 1, bin, x, y)
	return p.String()
}

// ribbon is the area between two series of stretches, in steps; empty where they are equal
// throughout.
func ribbon(low, high []float64, bin float64, x, y scale) string {
	var p pen
	for from := 0; from < len(low); {
		if low[from] == high[from] {
			from++
			continue
		}
		to := from
		for to < len(low) && low[to] != high[to] {
			to++
		}
		p.move(x.at(float64(from)*bin), y.at(low[from]))
		p.along(high, from, to, 1, bin, x, y)
		p.along(low, to-1, from-1, -1, bin, x, y)
		p.close()
		from = to
	}
	return p.String()
}

// along goes along a series from one stretch to before another, forwards or backwards.
func (p *pen) along(row []float64, from, to, by int, bin float64, x, y scale) {
	for i := from; i != to; i += by {
		p.upright(y.at(row[i]))
		if next := i + by; next == to || row[next] != row[i] {
			p.across(x.at(float64(i+max(by, 0)) * bin))
		}
	}
}
