package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"join": strings.Join,
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"took": func(r Run) string { return span(r.Finished.Sub(r.Started).Round(100 * time.Millisecond)) },
}).Parse(pageHTML))

// page is what the template fills in.
type page struct {
	Style      template.CSS
	Headline   string
	Simulated  string // what that means; empty when nothing is
	Note       string
	Tally      string // of the verdicts; empty without any
	Rule       string
	Matrix     table
	Overview   table
	Sections   []htmlSection
	Guide      []term
	Provenance *Provenance
}

type htmlSection struct {
	ID, Name, Driver string
	Live, Unstable   bool
	About            []string
	Warnings         []warning
	Tables           []titled
	Percentiles      template.HTML
	Cards            []card
	Bands            []legend
	Faults           bool
}

// card is one subject over time: its response time and its traffic, on one axis.
type card struct {
	Name         string
	Time, Shares template.HTML
}

type legend struct{ Name, Class string }

func writeHTML(w io.Writer, in Input, list []section) error {
	p := page{
		Style:    template.CSS(figureCSS + pageCSS),
		Headline: headline(list), Simulated: simulated(list), Note: overviewNote, Overview: overview(list),
		Tally: tally(list), Rule: ruleText(in.Summary.Rule), Matrix: matrix(list, in.Summary.Rule),
		Guide: guide, Provenance: in.Provenance,
	}
	for i := range list {
		p.Sections = append(p.Sections, list[i].html())
	}
	return pageTemplate.Execute(w, p)
}

func (s *section) html() htmlSection {
	h := htmlSection{
		ID: s.ID, Name: s.Scenario.Scenario, Driver: driver(s.Driver), Live: s.Driver == record.Live,
		About: s.about(), Warnings: s.warnings(), Unstable: s.unstable() > 0, Cards: s.cards(),
	}
	for _, t := range s.tables() {
		if len(t.Rows) > 0 {
			h.Tables = append(h.Tables, t)
		}
	}
	if f, ok := s.curves(); ok {
		h.Percentiles = template.HTML(f.inline())
	}
	if s.Header != nil {
		h.Faults = len(windows(s.Header)) > 0
		h.Bands = s.legend()
	}
	return h
}

// legend names the endpoints with faults; the sound ones share two tints, and an
// entry.
func (s *section) legend() []legend {
	var list []legend
	sound := 0
	for _, b := range s.bands {
		if b.faulty {
			list = append(list, legend{b.name + ", with faults", b.class})
		} else {
			sound += b.size
		}
	}
	if len(list) > 0 && sound > 0 {
		return append(list, legend{count(sound, "other endpoint"), "h0"})
	}
	return append(list, legend{count(sound, "endpoint"), "h0"})
}

func (s *section) cards() []card {
	times, shares := s.timelines(), s.shares()
	var list []card
	for i := range times {
		c := card{Name: s.Subjects[i].Name}
		id := s.ID + "." + number(float64(i))
		c.Time = template.HTML(figure{
			id: id + ".time", title: "Response time over time: " + c.Name, desc: "p50 and p99; shaded where a fault is on.",
			w: panelW, h: timeH, body: times[i].body,
		}.inline())
		if i < len(shares) {
			c.Shares = template.HTML(figure{
				id: id + ".shares", title: "Share of the traffic per endpoint over time: " + c.Name,
				desc: "Stacked, endpoints with faults at the bottom.", w: panelW, h: shareH, body: shares[i].body,
			}.inline())
		}
		list = append(list, c)
	}
	return list
}
