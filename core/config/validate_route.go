package config

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

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
			at("", "routes[%d] serves the same path, host, method and headers already", first)
		}
		f.timeouts(at.At("timeouts"), r)
	}
}

// validate checks what a route says by itself.
func (r *Route) validate(report strict.Report) {
	switch {
	case r.Path != "" && r.PathPrefix != "":
		report("path", "expected either path or path_prefix, found both")
	case r.Path != "":
		checkRoutePath(report, "path", r.Path)
	default:
		checkRoutePath(report, "path_prefix", r.PathPrefix)
	}
	list(report, "hosts", r.Hosts, func(path, host string) {
		if !validHost(strings.TrimPrefix(host, "*.")) {
			report(path, "expected a host name without a port, such as example.com or *.example.com, found %q", host)
		}
	})
	list(report, "methods", r.Methods, func(path, method string) {
		if upper := strings.ToUpper(method); methodPattern.MatchString(upper) && upper != method {
			report(path, "expected a method in upper case, %s, found %q", upper, method)
		} else if !methodPattern.MatchString(method) {
			report(path, "expected a method in upper case, such as GET, found %q", method)
		}
	})
	r.validateHeaders(report)
	if r.Retries != nil {
		between(report, "retries.attempts", r.Retries.Attempts, 1, maxAttempts)
	}
	checkBody(report, "max_body_bytes", r.MaxBodyBytes)
	between(report, "max_in_flight", r.MaxInFlight, 0, maxCount)
	between(report, "cost", r.Cost, 1, int(maxRate))
	if l := r.RateLimit; l != nil {
		l.validate(report.At("rate_limit"))
		r.fits(report, "its rate_limit", l)
	}
}

// unmatched are headers that no condition can see: they belong to the connection, or
// have been read and taken away.
var unmatched = []string{"Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding"}

func (r *Route) validateHeaders(report strict.Report) {
	first := map[string]int{}
	for i, h := range r.Headers {
		at := report.At(fmt.Sprintf("headers[%d]", i))
		name := http.CanonicalHeaderKey(h.Name)
		switch j, dup := first[name]; {
		case !tokenPattern.MatchString(h.Name):
			at("name", "expected the name of a header, such as X-Version, found %q", h.Name)
		case name == "Host":
			at("name", "expected another header than Host: for that there is hosts")
		case slices.Contains(unmatched, name):
			at("name", "expected another header than %s, which is not the request's but the connection's", name)
		case dup:
			at("name", "%q stands in headers[%d] already", h.Name, j)
		default:
			first[name] = i
		}
		if h.Absent && h.Value != "" {
			at("value", "expected none with absent: true, found %q", h.Value)
		}
		if strings.TrimSpace(h.Value) != h.Value || strings.ContainsFunc(h.Value, unicode.IsControl) {
			at("value", "expected a value without control characters and without space around it, found %q", h.Value)
		}
	}
}

// timeouts reports timeouts of a route that cannot be.
func (f *File) timeouts(report strict.Report, r *Route) {
	t := r.Timeouts
	if t == nil {
		return
	}
	var total time.Duration
	for _, p := range f.Pools {
		if p.Name == r.Pool {
			total = p.Timeouts.Total
		}
	}
	if t.Total != nil {
		notNegative(report, "total", *t.Total)
		total = *t.Total
	}
	if t.ResponseHeader == nil {
		return
	}
	notNegative(report, "response_header", *t.ResponseHeader)
	if total > 0 && *t.ResponseHeader > total {
		report("response_header", "expected at most total (%v), found %v", total, *t.ResponseHeader)
	}
}

// checkRoutePath reports what no request's path is compared with: it must be plain, since
// a request that could be read in more than one way is matched in each of them.
func checkRoutePath(report strict.Report, path, text string) {
	checkPath(report, path, text, false)
	decoded, err := url.PathUnescape(text)
	if err != nil {
		report(path, "expected two hexadecimal digits after each %%, found %q", text)
		return
	}
	odd := strings.Contains(decoded, "//") || strings.ContainsAny(decoded, `\;`) ||
		strings.Count(decoded, "/") != strings.Count(text, "/") || strings.ContainsFunc(decoded, unicode.IsControl)
	for segment := range strings.SplitSeq(decoded, "/") {
		odd = odd || segment == "." || segment == ".."
	}
	if odd && strings.HasPrefix(text, "/") {
		report(path, "expected a plain path, without . and .. and empty segments, encoded slashes, backslashes, semicolons and control characters, found %q", text)
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
	oneOf(report, "key", "key", l.Key, []string{"", KeyClient})
	for _, prefix := range []struct {
		name       string
		bits, most int
	}{{"ipv4_prefix", l.IPv4Prefix, 32}, {"ipv6_prefix", l.IPv6Prefix, 128}} {
		switch {
		case l.Key == KeyClient:
			between(report, prefix.name, prefix.bits, 1, prefix.most)
		case l.Key == "" && prefix.bits != 0:
			report(prefix.name, "all share a bucket, whatever their addresses: only with key: client")
		}
	}
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
// that under exactly the same conditions. Of two such routes one would be dead there. No
// other single route makes one dead: what goes before it by precedence is never wider in
// every respect. (Two can, one for requests with a header and one for those without.)
func (r *Route) claim(served map[string]int, i int) (first int, dup bool) {
	hosts, methods := r.Hosts, r.Methods
	if len(hosts) == 0 {
		hosts = []string{"*"}
	}
	if len(methods) == 0 {
		methods = []string{"*"}
	}
	path, prefix := r.Matched()
	headers := make([]string, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = fmt.Sprintf("%s %q %v", http.CanonicalHeaderKey(h.Name), h.Value, h.Absent)
	}
	slices.Sort(headers)
	for _, host := range hosts {
		for _, method := range methods {
			key := fmt.Sprintf("%s %s %q %q %q", method, host, path, prefix, headers)
			if j, taken := served[key]; taken && j != i {
				first, dup = j, true
				continue
			}
			served[key] = i
		}
	}
	return first, dup
}
