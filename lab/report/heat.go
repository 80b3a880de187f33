package report

import (
	"fmt"
	"math"

	"github.com/evenkeel/evenkeel/lab/stat"
)

// heatLevels is how many shades a heatmap has.
const heatLevels = 6

// heatFloor is the share of the requests, the fastest, that a heatmap leaves out: they would
// take half its height.
const heatFloor = 0.005

// heats draws how many requests took how long over time, of one trial of each subject, all on
// one scale of time, response time and shade. The shade grows with the logarithm of the count.
func (s *section) heats() []panel {
	f := frame{left: 54, top: 8, right: panelW - 10, bottom: heatH - 24}
	first, last, most := s.heatExtent()
	if most == 0 {
		return nil
	}
	y := logScale([]float64{stat.HeatFrom(first).Seconds(), stat.HeatFrom(last).Seconds()}, f.bottom, f.top)
	x := s.timeScale(f)
	return s.each(func(sub *subject, c *canvas) {
		h := sub.heat()
		if h == nil {
			return
		}
		f.latencyAxis(c, y, 5)
		for level, d := range h.paths(sub.seen.Timeline.Bin.Seconds(), first, most, x, y) {
			c.path(fmt.Sprintf("heat%d", level+1), d, "")
		}
		s.marks(c, f, x)
		s.goal(c, f, y)
		f.timeAxis(c, x)
	})
}

// heatExtent are the rows that the heatmaps of a section have, and the highest count.
func (s *section) heatExtent() (first, last int, most uint64) {
	var rows []uint64
	var total, below uint64
	for i := range s.Subjects {
		h := s.Subjects[i].heat()
		if h == nil {
			continue
		}
		for _, column := range h.Columns {
			for len(rows) < h.First+len(column) {
				rows = append(rows, 0)
			}
			for r, n := range column {
				rows[h.First+r] += n
				total += n
				most = max(most, n)
			}
		}
	}
	for first < len(rows) {
		if below += rows[first]; float64(below) > heatFloor*float64(total) {
			break
		}
		first++
	}
	return max(first, 1), len(rows), most // a logarithmic scale has no 0
}

// heat is that of the subject's first trial; nil for none.
func (s *subject) heat() *heatMap {
	if s.seen == nil || s.seen.Heat == nil {
		return nil
	}
	return (*heatMap)(s.seen.Heat)
}

// heatMap is a stat.Heat that can be drawn.
type heatMap stat.Heat

// paths has a path for each level: rectangles of stretches of rows in a column, from the
// first row on.
func (h *heatMap) paths(bin float64, first int, most uint64, x, y scale) [heatLevels]string {
	var p [heatLevels]pen
	for i, column := range h.Columns {
		left, right := math.Round(x.at(float64(i)*bin)), math.Round(x.at(float64(i+1)*bin))
		for from := max(first-h.First, 0); from < len(column); {
			level := heatLevel(column[from], most)
			to := from + 1
			for to < len(column) && heatLevel(column[to], most) == level {
				to++
			}
			if level >= 0 {
				p[level].move(left, math.Round(y.at(stat.HeatFrom(h.First+from).Seconds())))
				p[level].across(right)
				p[level].upright(math.Round(y.at(stat.HeatFrom(h.First + to).Seconds())))
				p[level].across(left)
				p[level].close()
			}
			from = to
		}
	}
	var d [heatLevels]string
	for i := range p {
		d[i] = p[i].String()
	}
	return d
}

// heatLevel is the shade of a count, -1 for none.
func heatLevel(n, most uint64) int {
	if n == 0 {
		return -1
	}
	share := math.Log1p(float64(n)) / math.Log1p(float64(most))
	return min(int(share*heatLevels), heatLevels-1)
}
