package config

import (
	"regexp"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Shedders are the names that [Shed] knows.
var Shedders = []string{"codel", "accept-ratio"}

// Shed turns requests away when there is too much to do. A setting that the shedder
// does not have is zero. What the shedders do stands in adaptive/shed.
type Shed struct {
	// Name of the shedder, one of [Shedders]. Required. codel goes by how long the
	// queue of [Concurrency] has been standing; without a limiter there it comes
	// with gradient2, and without a queue with one of 1000.
	Name string `yaml:"name,scalar,required" enum:"codel,accept-ratio" doc:"name of the shedder"`

	// Target is how long a request may wait in a queue that has been standing; 1µs
	// to 1h. Default 5ms, as in RFC 8289. Only for codel.
	Target time.Duration `yaml:"target,omitempty" doc:"how long a request may wait in a queue that has been standing; only for codel"`

	// Interval is how long a queue may take to get rid of a burst; Target to 1h.
	// Default 100ms, as in RFC 8289. Only for codel.
	Interval time.Duration `yaml:"interval,omitempty" doc:"how long a queue may take to get rid of a burst; only for codel"`

	// K is how many requests are let through for one that is accepted, 1 to 1000.
	// Default 2, as in Google's "Site Reliability Engineering". Only for
	// accept-ratio, as all that follows.
	K float64 `yaml:"k,omitempty" doc:"requests let through for one that is accepted, 1 to 1000; only for accept-ratio"`

	// Window is the time over which requests are counted, 1s to 1h, in whole
	// seconds (more is rounded up). Default 2m, as in the same book.
	Window time.Duration `yaml:"window,omitempty" doc:"time over which requests are counted; only for accept-ratio"`

	// MaxRatio is the largest share that is turned away, above 0 to 1. Default 0.9,
	// as in failsafe-go: the rest finds out whether it has become better.
	MaxRatio float64 `yaml:"max_ratio,omitempty" doc:"largest share that is turned away, above 0 to 1; only for accept-ratio"`

	// PriorityHeader is the request header that says how important a request is, 0
	// (most) to 3: the least important are turned away first. It is believed from
	// trusted_proxies only; without it, or from others, a request is of class 1.
	// Default: none, all are of one class.
	PriorityHeader string `yaml:"priority_header,omitempty" doc:"request header with the priority, 0 (most important) to 3, believed from trusted_proxies; only for accept-ratio"`
}

// NewShed returns the shedder of that name with the defaults of the settings it has.
// The name is not checked.
func NewShed(name string) Shed {
	s := Shed{Name: name}
	switch name {
	case "codel":
		s.Target, s.Interval = 5*time.Millisecond, 100*time.Millisecond
	case "accept-ratio":
		s.K, s.Window, s.MaxRatio = 2, 2*time.Minute, 0.9
	}
	return s
}

// Derive gives the settings that the file does not mention the defaults of the
// shedder it names.
func (s *Shed) Derive(has func(string) bool) {
	d := NewShed(s.Name)
	keep(&s.Target, d.Target, has("target"))
	keep(&s.Interval, d.Interval, has("interval"))
	keep(&s.K, d.K, has("k"))
	keep(&s.Window, d.Window, has("window"))
	keep(&s.MaxRatio, d.MaxRatio, has("max_ratio"))
}

// headerPattern is a field name (RFC 9110 §5.1): a token.
var headerPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// Validate reports what is wrong with the shedder, by paths from s.
func (s *Shed) Validate(report strict.Report) {
	if !oneOf(report, "name", "shedder", s.Name, Shedders) {
		return
	}
	codel, ratios := []string{"codel"}, []string{"accept-ratio"}
	settings{report, s.Name}.check([]setting{
		{"target", s.Target != 0, codel, func() { within(report, "target", s.Target, time.Microsecond, time.Hour) }},
		{"interval", s.Interval != 0, codel, func() { within(report, "interval", s.Interval, max(s.Target, time.Microsecond), time.Hour) }},
		{"k", s.K != 0, ratios, func() { between(report, "k", s.K, 1, 1000) }},
		{"window", s.Window != 0, ratios, func() { within(report, "window", s.Window, time.Second, time.Hour) }},
		{"max_ratio", s.MaxRatio != 0, ratios, func() { ratio(report, "max_ratio", s.MaxRatio) }},
		{"priority_header", s.PriorityHeader != "", ratios, func() { s.checkHeader(report) }},
	})
}

func (s *Shed) checkHeader(report strict.Report) {
	switch h := s.PriorityHeader; {
	case h == "":
	case !headerPattern.MatchString(h):
		report("priority_header", "expected the name of a header, such as X-Priority, found %q", h)
	case strings.EqualFold(h, "Host"):
		report("priority_header", "expected a header of its own, found %q", h)
	}
}

// Derive gives codel what it needs: a queue, and something to queue for; and takes from
// the limit of the endpoints what is not for them. What other settings share with p is
// left as it is.
func (p *Policies) Derive(func(string) bool) {
	if c := p.EndpointConcurrency; c != nil && c.MaxWait == defaultMaxWait {
		own := *c
		own.MaxWait = 0
		p.EndpointConcurrency = &own
	}
	if p.Shed == nil || p.Shed.Name != "codel" {
		return
	}
	own := NewConcurrency("gradient2")
	if p.Concurrency != nil {
		own = *p.Concurrency
	}
	if own.Queue == 0 {
		own.Queue = defaultCoDelQueue
	}
	p.Concurrency = &own
}

// validateLimits reports what is wrong with the limits, by paths from p.
func (p *Policies) validateLimits(report strict.Report) {
	if p.Concurrency != nil {
		p.Concurrency.Validate(report.At("concurrency"))
	}
	if p.EndpointConcurrency != nil {
		p.EndpointConcurrency.validateEndpoint(report.At("endpoint_concurrency"))
	}
	if p.Shed != nil {
		p.Shed.Validate(report.At("shed"))
	}
}
