package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
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
	Sides      table
	SidesNote  string
	Kinds      []panelKind
	Guide      []term
	Provenance *Provenance
}

type htmlSection struct {
	ID, Name, Driver string
	Live, Unstable   bool
	About            []string
	Warnings         []warning
	Replay           string
	Subjects         []pick
	Tables           []titled
	Paired           template.HTML
	Percentiles      template.HTML
	Cards            []card
	Inside           string // which trial the pictures from inside are of
	Keys             []legend
	Bands            []legend
	Faults           bool
}

type legend struct{ Name, Class string }

// pick is the box that shows or hides a subject.
type pick struct {
	Name, Class string
	Index       int
}

func writeHTML(w io.Writer, in Input, list []section) error {
	p := page{
		Style:    template.CSS(figureCSS + pageCSS + themeCSS() + pickCSS(list)),
		Headline: headline(list), Simulated: simulated(list), Note: overviewNote, Overview: overview(list),
		Tally: tally(list), Rule: ruleText(in.Summary.Rule), Matrix: matrix(list, in.Summary.Rule),
		Sides: sides(list), SidesNote: sidesNote,
		Guide: guide, Provenance: in.Provenance,
	}
	for i := range list {
		p.Sections = append(p.Sections, list[i].html())
	}
	p.Kinds = kindsOf(p.Sections)
	return pageTemplate.Execute(w, p)
}

// themeCSS lets the reader have the light or the dark colours against the system's wish. The
// colours are those of figure.css, which a figure that stands alone has, too.
func themeCSS() string {
	parts := strings.SplitN(figureCSS, ":root {", 3)
	var b strings.Builder
	for i, theme := range []string{"light", "dark"} {
		colours, _, _ := strings.Cut(parts[i+1], "}")
		fmt.Fprintf(&b, ":root:has(#theme-%s:checked) { color-scheme: %s;%s}\n", theme, theme, colours)
	}
	return b.String()
}

// pickCSS hides what belongs to a subject whose box is not ticked.
func pickCSS(list []section) string {
	most := 0
	for i := range list {
		most = max(most, len(list[i].Subjects))
	}
	var b strings.Builder
	for i := range most {
		fmt.Fprintf(&b, "section:has(.pick-%d:not(:checked)) .of-%d { display: none; }\n", i, i)
	}
	for _, k := range append(slices.Clone(panelKinds), breakerKind) {
		fmt.Fprintf(&b, "body:has(#show-%s:not(:checked)) .p-%s { display: none; }\n", k.Kind, k.Kind)
	}
	return b.String()
}

func (s *section) html() htmlSection {
	h := htmlSection{
		ID: s.ID, Name: s.Scenario.Scenario, Driver: driver(s.Driver), Live: s.Driver == record.Live,
		About: s.about(), Warnings: s.warnings(), Unstable: s.unstable() > 0, Cards: s.cards(),
		Replay: s.replay(), Inside: s.lookedInto(), Keys: s.keys(),
	}
	for _, t := range s.tables() {
		if len(t.Rows) > 0 {
			h.Tables = append(h.Tables, t)
		}
	}
	if f, ok := s.paired(s.rule); ok {
		h.Paired = template.HTML(f.inline())
	}
	if f, ok := s.curves(); ok {
		h.Percentiles = template.HTML(f.inline())
	}
	if len(s.Subjects) > 1 {
		for i, sub := range s.Subjects {
			h.Subjects = append(h.Subjects, pick{sub.Name, fmt.Sprintf("c%d", i%colours), i})
		}
	}
	if s.Header != nil {
		h.Faults = len(windows(s.Header)) > 0
		h.Bands = s.legend()
	}
	return h
}

// keys explain the marks of the panels from inside that the section has.
func (s *section) keys() []legend {
	var list []legend
	if slices.ContainsFunc(s.Subjects, func(sub subject) bool { return len(sub.twin.Bins) > 0 }) {
		list = append(list, legend{"the same simulated", "twin"})
	}
	seen := make(map[string]bool)
	for i := range s.Subjects {
		in := s.Subjects[i].inside()
		if in == nil {
			continue
		}
		for _, d := range in.Decisions {
			if at := wayOf(d.Mode, d.Reason); at >= 0 && !stat.Reference(s.Subjects[i].Name) {
				seen[ways[at].class] = true
			}
		}
		seen["limit"] = seen["limit"] || in.Limiter != nil
		for g := range in.Open {
			seen["open"] = seen["open"] || in.Open[g] != nil || in.HalfOpen[g] != nil
		}
	}
	for i := len(ways) - 1; i >= 0; i-- {
		if seen[ways[i].class] {
			list = append(list, legend{ways[i].name, "key-" + ways[i].class})
		}
	}
	if seen["open"] {
		list = append(list, legend{"breaker open", "key-open"}, legend{"half-open", "key-half"})
	}
	if seen["limit"] {
		list = append(list, legend{"limit", "key-limit"}, legend{"in flight", "key-flight"}, legend{"waiting", "key-waiting"})
	}
	return list
}

// legend names the endpoints with faults; the sound ones share two tints, and an
// entry.
func (s *section) legend() []legend {
	var list []legend
	sound := 0
	for _, b := range s.bands {
		if b.faulty {
			name := b.name
			if b.size == 1 {
				name += ", with faults"
			}
			list = append(list, legend{name, b.class})
		} else {
			sound += b.size
		}
	}
	if len(list) > 0 && sound > 0 {
		return append(list, legend{count(sound, "other endpoint"), "h0"})
	}
	return append(list, legend{count(sound, "endpoint"), "h0"})
}
