package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

func checkName(report strict.Report, path, name string) {
	if !namePattern.MatchString(name) {
		report(path, "expected a name of lower-case letters, digits and . _ - after the first, found %q", name)
	}
}

// oneOf reports a word that is not among the valid ones.
func oneOf(report strict.Report, path, kind, word string, valid []string) bool {
	if slices.Contains(valid, word) {
		return true
	}
	named := slices.DeleteFunc(slices.Clone(valid), func(s string) bool { return s == "" })
	report(path, "%s", strict.Unknown(kind, word, named))
	return false
}

// tokenPattern is a token of HTTP (RFC 9110 §5.6.2): a header's or a cookie's name.
var tokenPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// metricPattern is a named metric of a report, or none.
var metricPattern = regexp.MustCompile("^[0-9A-Za-z_./-]{0,64}$")

// checkKey reports what no key of a request can be taken from.
func checkKey(report strict.Report, path, key string) {
	from, name, named := strings.Cut(key, ":")
	switch {
	case !named && (from == KeyClient || from == KeyPath):
	case named && (from == KeyHeader || from == KeyCookie):
		if !tokenPattern.MatchString(name) {
			report(path, "expected the name of a %s after the colon, such as %s:session, found %q", from, from, key)
		}
	default:
		report(path, "expected client, path, header:NAME or cookie:NAME, found %q", key)
	}
}

// checkAddress reports an address that cannot be listened on. The key is the same
// for the same address, and empty for one that is not fixed (port 0).
func checkAddress(report strict.Report, path, address string) (key string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		report(path, "expected host:port, such as 127.0.0.1:8080, found %q", address)
		return "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		report(path, "expected a port from 0 to 65535 after the colon, found %q", address)
		return "", false
	}
	if host != "" && !validHost(strings.ToLower(host)) {
		report(path, "expected an address or a host name before the port, found %q", address)
		return "", false
	}
	if n == 0 {
		return "", true
	}
	return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), true
}

// checkURL reports a URL that is no endpoint.
func checkURL(report strict.Report, path, text string) bool {
	wrong := func(expected string) bool {
		report(path, "%q: expected %s", text, expected)
		return false
	}
	const example = "a URL such as http://127.0.0.1:9001"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return wrong(example)
	case u.Scheme == unixScheme:
		return checkSocket(report, path, text, u)
	case u.Scheme != "http" && u.Scheme != "https":
		return wrong("http://, https:// or unix:// in front, as in http://127.0.0.1:9001")
	case u.User != nil:
		return wrong(example + ", without a user")
	case u.Hostname() == "" || !validHost(strings.ToLower(u.Hostname())):
		return wrong("a host name or an address, as in http://127.0.0.1:9001")
	case u.Path != "" && u.Path != "/":
		return wrong(example + ", without a path: a request's own path is passed on")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return wrong(example + ", without a query or a fragment")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); strings.HasSuffix(u.Host, ":") || u.Port() != "" && (err != nil || port == 0) {
		return wrong("a port from 1 to 65535")
	}
	return true
}

// checkPath reports what is no absolute path of a URL.
func checkPath(report strict.Report, path, text string, query bool) {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' || r == '?' && !query }
	if !strings.HasPrefix(text, "/") {
		report(path, "expected a path that starts with /, found %q", text)
	} else if strings.ContainsFunc(text, odd) {
		report(path, "expected a path of plain characters, others percent-encoded, found %q", text)
	}
}

var labelPattern = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// validHost tells whether a host in lower case is a name or an address. The
// underscore is no part of a host name by the book (RFC 952), but many a
// container has one.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if len(host) > 253 { // RFC 1035 §2.3.4: 255 octets on the wire
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if !labelPattern.MatchString(label) {
			return false
		}
	}
	return true
}
