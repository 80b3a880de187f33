package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// paired draws the comparisons of a section: a dot for each block, the mean and its interval,
// and the margin within which two subjects are as good as equal. False without any.
func (s *section) paired(rule *stat.Rule) (figure, bool) {
	const w, row, top = 920.0, 34.0, 10.0
	margin := stat.DefaultMargin
	if rule != nil {
		margin = rule.Margin
	}
	var rows []pairedRow
	for i := range s.Verdicts {
		v := &s.Verdicts[i]
		if v.Blocks > 0 {
			rows = append(rows, pairedRow{v, s.Ratios(v.Baseline, v.Subject)})
		}
	}
	if len(rows) == 0 {
		return figure{}, false
	}
	f := frame{left: 300, top: top, right: w - 150, bottom: top + row*float64(len(rows))}
	x, ticks := pairedScale(rows, margin, f)
	var c canvas
	low, high := 1/(1+margin), 1+margin
	if !rows[0].Metric.Ratios() {
		low, high = -stat.ErrorMargin, stat.ErrorMargin
	}
	c.rect("warm", x.at(low), f.top, max(x.at(high)-x.at(low), 1), f.bottom-f.top)
	for _, t := range ticks {
		c.line("grid", x.at(t.at), f.top, x.at(t.at), f.bottom)
		c.text("tick", "middle", x.at(t.at), f.bottom+16, t.text)
	}
	even := 1.0
	if !rows[0].Metric.Ratios() {
		even = 0
	}
	c.line("axis", x.at(even), f.top, x.at(even), f.bottom+4)
	c.text("tick", "middle", (f.left+f.right)/2, f.bottom+33, pairedCaption(rows[0].Verdict))
	for i, r := range rows {
		r.draw(&c, f, x, f.top+row*(float64(i)+0.5))
	}
	return figure{
		id: s.ID + ".paired", title: "Comparisons block by block: " + s.Scenario.Scenario + ", " + driver(s.Driver),
		desc: "A dot for each block; left of the line the subject is better than the baseline.",
		w:    w, h: f.bottom + 42, body: c.b.String(),
	}, true
}

func pairedCaption(v *stat.Verdict) string {
	if !v.Metric.Ratios() {
		return "errors, points more than the baseline: to the left is better"
	}
	what := metricName(v.Metric) + " over that of the baseline"
	if v.Metric.Inverse() {
		what = "the baseline's " + metricName(v.Metric) + " over the subject's"
	}
	return what + ": to the left is better"
}

// pairedRow is a comparison with its blocks.
type pairedRow struct {
	*stat.Verdict
	blocks []float64
}

// centre is the effect and its interval on the scale of the blocks; nil for no interval.
func (r pairedRow) centre() (float64, *[2]float64) {
	if r.Metric.Ratios() {
		return *r.Ratio, r.CI95
	}
	return r.Errors.Share, r.Errors.CI95
}

func (r pairedRow) draw(c *canvas, f frame, x scale, y float64) {
	class := "v-" + strings.ToLower(r.Verdict.Verdict)
	c.text("end", "end", f.left-12, y+4, shorten(r.Subject, 46))
	at, interval := r.centre()
	if interval != nil {
		c.line("interval "+class, x.at(interval[0]), y, x.at(interval[1]), y)
	}
	for i, v := range r.blocks {
		offset := float64(i%5-2) * 3.4
		c.printf(`<circle class="block" cx="%s" cy="%s" r="2.6"/>`, px(x.at(v)), px(y+offset))
	}
	c.printf(`<path class="point %s" d="M%s %sl5 5l-5 5l-5 -5z"><title>%s</title></path>`,
		class, px(x.at(at)), px(y-5), escape(ratioText(r.Metric, &r.Effect)))
	c.text("end", "start", f.right+12, y+4, word(r.Verdict)+" "+figureOf(r.Metric, &r.Effect))
}

// tick is a labelled place on a scale.
type tick struct {
	at   float64
	text string
}

// pairedScale is a scale on which all blocks and intervals have room, and the margin can be
// seen where they are close to it.
func pairedScale(rows []pairedRow, margin float64, f frame) (scale, []tick) {
	var all []float64
	for _, r := range rows {
		at, interval := r.centre()
		all = append(append(all, r.blocks...), at)
		if interval != nil {
			all = append(all, interval[0], interval[1])
		}
	}
	if !rows[0].Metric.Ratios() {
		return pointScale(all, f)
	}
	reach := math.Log1p(2 * margin)
	for _, v := range all {
		if v > 0 {
			reach = max(reach, math.Abs(math.Log(v)))
		}
	}
	if reach > 0.7 {
		s := logScale(append(all, 1), f.left, f.right)
		var ticks []tick
		for _, v := range s.ticks(7) {
			ticks = append(ticks, tick{v, number(v)})
		}
		return s, ticks
	}
	s := scale{lo: math.Exp(-1.1 * reach), hi: math.Exp(1.1 * reach), from: f.left, to: f.right, log: true}
	step := roundUp((s.hi - s.lo) / 7)
	var ticks []tick
	for i := math.Ceil((s.lo - 1) / step); 1+i*step <= s.hi; i++ {
		ticks = append(ticks, tick{1 + i*step, number(1 + i*step)})
	}
	return s, ticks
}

// pointScale is the scale of differences of errors, as shares of the requests.
func pointScale(all []float64, f frame) (scale, []tick) {
	reach := 2 * stat.ErrorMargin
	for _, v := range all {
		reach = max(reach, math.Abs(v))
	}
	s := scale{lo: -1.1 * reach, hi: 1.1 * reach, from: f.left, to: f.right}
	step := roundUp((s.hi - s.lo) / 7)
	var ticks []tick
	for i := math.Ceil(s.lo / step); i*step <= s.hi; i++ {
		text := "0"
		if i != 0 {
			text = fmt.Sprintf("%+.4g", 100*i*step)
		}
		ticks = append(ticks, tick{i * step, text})
	}
	return s, ticks
}
