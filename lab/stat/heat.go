package stat

import "time"

// Heat counts the requests of a trial by when they were planned and how long they took, for a
// picture: a column for each bin of the Timeline, and four rows to each power of two of the
// response time, in which failures count as in Figures.Latency.
type Heat struct {
	First   int        `json:"first"`   // the lowest row
	Columns [][]uint64 `json:"columns"` // by bin: counts from row First on, as far up as there are any
}

// heatRows is how many rows a power of two has; no duration is beyond mostHeatRows.
const (
	heatRows     = 4
	mostHeatRows = heatRows * (64 - coarse)
)

// HeatFrom is the least response time that belongs to a row; the row ends where the next
// begins.
func HeatFrom(row int) time.Duration {
	octave, part := row/heatRows, time.Duration(row%heatRows)
	const cells = 1 << coarse
	if octave == 0 {
		return part * cells / heatRows
	}
	return (cells + part*cells/heatRows) << (octave - 1)
}

// newHeat makes the heat of what was counted; nil of nothing.
func newHeat(counted []tally) *Heat {
	h := &Heat{First: -1, Columns: make([][]uint64, len(counted))}
	for i := range counted {
		column := []uint64{}
		for octave, cells := range counted[i].latency.octaves {
			for cell, n := range cells {
				if n == 0 {
					continue
				}
				row := octave*heatRows + cell*heatRows>>coarse
				for len(column) <= row {
					column = append(column, 0)
				}
				column[row] += n
				if h.First < 0 || row < h.First {
					h.First = row
				}
			}
		}
		h.Columns[i] = column
	}
	if h.First < 0 {
		return nil
	}
	for i, column := range h.Columns {
		h.Columns[i] = column[min(h.First, len(column)):]
	}
	return h
}
