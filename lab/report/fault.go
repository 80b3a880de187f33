package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// window is a stretch of a trial, in seconds.
type window struct{ from, to float64 }

// windows returns when any fault was on, as disjoint stretches in order. Stretches
// closer than a 500th of the trial are drawn as one.
func windows(h *record.Header) []window {
	end := h.Duration.Seconds()
	var list []window
	for _, f := range h.Faults {
		w := window{max(f.From.Seconds(), 0), min(f.To.Seconds(), end)}
		if w.to > w.from {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b window) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var joined []window
	for _, w := range list {
		if n := len(joined); n > 0 && w.from <= joined[n-1].to+end/500 {
			joined[n-1].to = max(joined[n-1].to, w.to)
			continue
		}
		joined = append(joined, w)
	}
	return joined
}

// faultRow is a line of the table of faults: the same fault on the same endpoints,
// at one or many times.
type faultRow struct {
	What, Where string
	when        []window
	until       bool // the last one lasts to the end of the trial
}

// faultRows gathers the faults of a trial.
func faultRows(h *record.Header) []faultRow {
	var rows []faultRow
	for _, f := range h.Faults {
		row := faultRow{What: f.Kind, Where: where(h, f.Servers)}
		if f.Note != "" {
			row.What += ", " + f.Note
		}
		i := slices.IndexFunc(rows, func(r faultRow) bool { return r.What == row.What && r.Where == row.Where })
		if i < 0 {
			i = len(rows)
			rows = append(rows, row)
		}
		rows[i].when = append(rows[i].when, window{f.From.Seconds(), min(f.To.Seconds(), h.Duration.Seconds())})
		rows[i].until = f.To >= core.Instant(h.Duration)
	}
	return rows
}

// where names the endpoints of a fault: a few by name, many by their number.
func where(h *record.Header, servers []int) string {
	switch {
	case len(servers) == 0:
		return none
	case len(servers) == len(h.Endpoints) && len(servers) > 1:
		return fmt.Sprintf("all %d endpoints", len(servers))
	}
	const most = 4
	var names []string
	for _, s := range servers[:min(most, len(servers))] {
		name := fmt.Sprintf("endpoint %d", s)
		if s >= 0 && s < len(h.Endpoints) {
			name = h.Endpoints[s]
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if more := len(servers) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// When says when the fault was on.
func (r faultRow) When() string {
	const most = 3
	text := func(w window, last bool) string {
		from := span(time.Duration(w.from * float64(time.Second)))
		if last && r.until {
			return from + " to the end"
		}
		return from + " to " + span(time.Duration(w.to*float64(time.Second)))
	}
	n := len(r.when)
	if n > most {
		return fmt.Sprintf("%d times, the first %s, the last %s", n, text(r.when[0], false), text(r.when[n-1], true))
	}
	var times []string
	for i, w := range r.when {
		times = append(times, text(w, i == n-1))
	}
	return strings.Join(times, "; ")
}

// band is what one area of a figure of shares stands for: a group of endpoints, or
// several together.
type band struct {
	name   string
	class  string // of the area
	groups []int
	size   int // endpoints
	faulty bool
}

// bands chooses the areas, those with faults first, and so next to the baseline
// where their height can be read. A dozen groups have an area each; of more,
// the sound ones share one, and so do the faulty ones when they are many.
func bands(groups []stat.Group) []band {
	const each, eachFaulty = 12, 4
	var bad, good []int
	for i, g := range groups {
		if g.Faulty {
			bad = append(bad, i)
		} else {
			good = append(good, i)
		}
	}
	list := split(groups, bad, len(bad) <= eachFaulty, "endpoints with faults", []string{"f0", "f1", "f2", "f3"})
	for i := range list {
		list[i].faulty = true
	}
	rest := "endpoints"
	if len(bad) > 0 {
		rest = "other endpoints"
	}
	return append(list, split(groups, good, len(groups) <= each, rest, []string{"h0", "h1"})...)
}

func split(groups []stat.Group, members []int, each bool, together string, classes []string) []band {
	if len(members) == 0 {
		return nil
	}
	if !each {
		all := band{class: classes[0], groups: members}
		for _, m := range members {
			all.size += groups[m].Members
		}
		all.name = fmt.Sprintf("%d %s", all.size, together)
		return []band{all}
	}
	var list []band
	for i, m := range members {
		list = append(list, band{name: groups[m].Name, class: classes[i%len(classes)], groups: []int{m}, size: groups[m].Members})
	}
	return list
}
