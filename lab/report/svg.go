package report

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

//go:embed figure.css
var figureCSS string

// canvas gathers the elements of an SVG. Every number is written with one
// decimal, so that the bytes are the same everywhere.
type canvas struct{ b strings.Builder }

func (c *canvas) printf(format string, a ...any) { fmt.Fprintf(&c.b, format, a...) }

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.printf(`<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, px(x1), px(y1), px(x2), px(y2))
}

func (c *canvas) rect(class string, x, y, w, h float64) {
	c.printf(`<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`, class, px(x), px(y), px(w), px(h))
}

// faint is rect with an opacity.
func (c *canvas) faint(class string, x, y, w, h, opacity float64) {
	c.printf(`<rect class="%s" x="%s" y="%s" width="%s" height="%s" opacity="%s"/>`,
		class, px(x), px(y), px(w), px(h), strconv.FormatFloat(opacity, 'f', 2, 64))
}

// text writes s with its anchor ("start", "middle" or "end") on the baseline at y.
func (c *canvas) text(class, anchor string, x, y float64, s string) {
	c.printf(`<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, class, anchor, px(x), px(y), escape(s))
}

// path draws d; a title is what a pointer over it shows.
func (c *canvas) path(class, d, title string) {
	if d == "" {
		return
	}
	if title == "" {
		c.printf(`<path class="%s" d="%s"/>`, class, d)
		return
	}
	c.printf(`<path class="%s" d="%s"><title>%s</title></path>`, class, d, escape(title))
}

// group draws body moved by x and y.
func (c *canvas) group(x, y float64, body string) {
	c.printf(`<g transform="translate(%s %s)">%s</g>`, px(x), px(y), body)
	c.b.WriteByte('\n')
}

// point is a place in pixels; lift begins a new stretch of a line there.
type point struct {
	x, y float64
	lift bool
}

// polyline is the path through points.
func polyline(points []point) string {
	var b strings.Builder
	for i, p := range points {
		if i == 0 || p.lift {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(px(p.x) + " " + px(p.y))
	}
	return b.String()
}

// px writes a coordinate.
func px(v float64) string {
	s := strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	if s == "-0" {
		return "0"
	}
	return s
}

// escape makes any text safe as the content of an element or attribute.
func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}

// figure is a finished drawing.
type figure struct {
	id          string // unique in a report, safe in a file name and in an attribute
	title, desc string // for those who do not see it
	w, h        float64
	body        string
}

// inline is the figure as part of an HTML page, which has figureCSS in its style.
func (f figure) inline() string { return f.svg("", "") }

// file is the figure as a file of its own, which carries its style and ground.
func (f figure) file() string {
	ground := fmt.Sprintf(`<rect class="ground" width="%s" height="%s"/>`, px(f.w), px(f.h))
	return f.svg(` xmlns="http://www.w3.org/2000/svg"`, "<style>\n"+figureCSS+"</style>\n"+ground+"\n")
}

func (f figure) svg(attributes, before string) string {
	return fmt.Sprintf(`<svg%s class="figure" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-labelledby="%s-t %s-d">`+
		"\n<title id=\"%s-t\">%s</title><desc id=\"%s-d\">%s</desc>\n%s%s\n</svg>\n",
		attributes, px(f.w), px(f.h), px(f.w), px(f.h), f.id, f.id,
		f.id, escape(f.title), f.id, escape(f.desc), before, f.body)
}
