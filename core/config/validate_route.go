package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

func (f *File) validateRoutes(report strict.Report) {
	if f.RateLimit != nil {
		f.RateLimit.validate(report.At("rate_limit"))
	}
	if len(f.Routes) == 0 && len(f.Pools) > 1 {
		report("routes", "expected at least one route: only a single pool gets one by default")
	}
	var pools []string
	for _, p := range f.Pools {
		if p.Name != "" {
			pools = append(pools, p.Name)
		}
	}
	names, served := map[string]int{}, map[string]int{}
	for i := range f.Routes {
		r := &f.Routes[i]
		at := report.At(fmt.Sprintf("routes[%d]", i))
		// A name made from a bad pool name is not worth a second complaint.
		if namePattern.MatchString(r.Pool) || !strings.HasPrefix(r.Name, r.Pool) {
			checkName(at, "name", r.Name)
		}
		if first, dup := names[r.Name]; dup && r.Name != "" {
			at("name", "%q is the name of routes[%d] already", r.Name, first)
		} else {
			names[r.Name] = i
		}
		oneOf(at, "pool", "pool", r.Pool, pools)
		r.validate(at)
		if f.RateLimit != nil {
			r.fits(at, "the global rate_limit", f.RateLimit)
		}
		if first, dup := r.claim(served, i); dup {
			at("", "routes[%d] serves the same path_prefix, host and method already", first)
		}
	}
}

// validate checks what a route says by itself.
func (r *Route) validate(report strict.Report) {
	checkPath(report, "path_prefix", r.PathPrefix, false)
	list(report, "hosts", r.Hosts, func(path, host string) {
		if !validHost(host) {
			report(path, "expected an exact host name without a port, such as example.com, found %q", host)
		}
	})
	list(report, "methods", r.Methods, func(path, method string) {
		if upper := strings.ToUpper(method); methodPattern.MatchString(upper) && upper != method {
			report(path, "expected a method in upper case, %s, found %q", upper, method)
		} else if !methodPattern.MatchString(method) {
			report(path, "expected a method in upper case, such as GET, found %q", method)
		}
	})
	between(report, "cost", r.Cost, 1, int(maxRate))
	if l := r.RateLimit; l != nil {
		l.validate(report.At("rate_limit"))
		r.fits(report, "its rate_limit", l)
	}
}

// fits reports a cost that a limit can never pay.
func (r *Route) fits(report strict.Report, whose string, l *RateLimit) {
	if l.Burst >= 1 && r.Cost > l.Burst {
		report("cost", "expected at most the burst of %s (%d), found %d", whose, l.Burst, r.Cost)
	}
}

// validate reports what is wrong with the limit, by paths from l.
func (l *RateLimit) validate(report strict.Report) {
	if !(l.Rate > 0 && l.Rate <= maxRate) {
		report("rate", "expected requests a second, above 0 and at most %v, found %v", float64(maxRate), l.Rate)
	}
	between(report, "burst", l.Burst, 1, int(maxRate))
	if float64(l.Burst) > l.Rate*century.Seconds() && l.Rate > 0 {
		report("burst", "expected less than a century's worth at %v a second, found %d", l.Rate, l.Burst)
	}
	oneOf(report, "key", "key", l.Key, []string{"", "client"})
	within(report, "max_delay", l.MaxDelay, 0, time.Hour)
}

// century bounds how long a bucket may take to fill: what is further off does not
// fit into the nanoseconds that the limiter counts.
const century = 100 * 365 * 24 * time.Hour

var methodPattern = regexp.MustCompile(`^[A-Z][A-Z0-9_-]*$`)

// list checks every item, and that none comes twice.
func list(report strict.Report, name string, items []string, check func(path, item string)) {
	first := map[string]int{}
	for i, item := range items {
		path := fmt.Sprintf("%s[%d]", name, i)
		if j, dup := first[item]; dup {
			report(path, "%q stands in %s[%d] already", item, name, j)
			continue
		}
		first[item] = i
		check(path, item)
	}
}

// claim notes what the route serves, and returns the route that serves a part of
// that under exactly the same conditions. Of two such routes one would be dead.
func (r *Route) claim(served map[string]int, i int) (first int, dup bool) {
	hosts, methods := r.Hosts, r.Methods
	if len(hosts) == 0 {
		hosts = []string{"*"}
	}
	if len(methods) == 0 {
		methods = []string{"*"}
	}
	for _, host := range hosts {
		for _, method := range methods {
			key := strings.Join([]string{method, host, r.PathPrefix}, " ")
			if j, taken := served[key]; taken && j != i {
				first, dup = j, true
				continue
			}
			served[key] = i
		}
	}
	return first, dup
}
