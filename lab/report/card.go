package report

import (
	"fmt"
	"html/template"
	"slices"
)

// card is one subject over time: its panels, one below the other, on one axis.
type card struct {
	Name   string
	Index  int
	Panels []cardPanel
}

// cardPanel is a panel of a card.
type cardPanel struct {
	Kind, Name string
	SVG        template.HTML
}

// panelKind is what a panel shows; each can be hidden throughout the report.
type panelKind struct {
	Kind, Name string
	title      string // for those who do not see it
	height     float64
	// seen is set where the panel is of the one trial that was looked into.
	seen bool
	draw func(*section) []panel
}

// panelKinds are all panels of a card but the breakers', from the top down.
var panelKinds = []panelKind{
	{"time", "response time", "p50 and p99; shaded where a fault is on.", timeH, false, (*section).timelines},
	{"fail", "failed", "Share of the requests that failed.", failH, false, (*section).failing},
	{"heat", "requests by response time", "The darker, the more requests took so long.", heatH, true, (*section).heats},
	{"share", "traffic per endpoint", "Stacked, endpoints with faults at the bottom.", shareH, false, (*section).shares},
	{"pending", "pending per endpoint", "A line for each endpoint with faults, and the range of the others.", pendingH, true, (*section).pending},
	{"limit", "limit, in flight, rejected", "The limit as a line, what is in flight and what waits as areas.", limitH, true, (*section).limits},
	{"modes", "decisions by mode", "Share of the decisions made in each mode.", modesH, true, (*section).modes},
	{"late", "lateness of the generator", "How late it sent at most.", lateH, false, (*section).lateness},
}

// breakerKind is the panel of the breakers, whose height is its own.
var breakerKind = panelKind{Kind: "breakers", Name: "breakers", title: "Dark where a breaker was open, light where it was half-open.", seen: true}

// cards are the subjects over time.
func (s *section) cards() []card {
	if s.Header == nil {
		return nil
	}
	list := make([]card, len(s.Subjects))
	for i := range list {
		list[i] = card{Name: s.Subjects[i].Name, Index: i}
	}
	add := func(i int, k panelKind, p panel, height float64) {
		if p.body == "" {
			return
		}
		svg := figure{
			id: fmt.Sprintf("%s.%d.%s", s.ID, i, k.Kind), title: k.Name + " over time: " + s.Subjects[i].Name,
			desc: k.title, w: panelW, h: height, body: p.body,
		}.inline()
		list[i].Panels = append(list[i].Panels, cardPanel{k.Kind, k.Name, template.HTML(svg)})
	}
	for _, k := range panelKinds {
		for i, p := range k.draw(s) {
			add(i, k, p, k.height)
		}
		if k.Kind == "modes" {
			for i, p := range s.breakers() {
				add(i, breakerKind, p.panel, p.h)
			}
		}
	}
	return slices.DeleteFunc(list, func(c card) bool { return len(c.Panels) == 0 })
}

// kindsOf are the kinds of panels that a report has, in the order of a card.
func kindsOf(sections []htmlSection) []panelKind {
	has := make(map[string]bool)
	for _, s := range sections {
		for _, c := range s.Cards {
			for _, p := range c.Panels {
				has[p.Kind] = true
			}
		}
	}
	at := slices.IndexFunc(panelKinds, func(k panelKind) bool { return k.Kind == "late" })
	return slices.DeleteFunc(slices.Insert(slices.Clone(panelKinds), at, breakerKind), func(k panelKind) bool { return !has[k.Kind] })
}

// lookedInto says which trial the pictures from inside are of; empty without any.
func (s *section) lookedInto() string {
	for i := range s.Subjects {
		if d := s.Subjects[i].seen; d != nil {
			return fmt.Sprintf("Medians or sums over all trials, but for what is inside (requests by response time, pending, limits, decisions, breakers): that is of one, block %d with seed %d.",
				d.Header.Block, d.Header.Seed)
		}
	}
	return ""
}
