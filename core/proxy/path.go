package proxy

import (
	"net/http"
	"strings"
)

// A path can be read in more than one way. What one server takes for a part of a name is
// a separator for the next: an encoded slash, a backslash; what one drops another keeps:
// a parameter after a semicolon, an empty segment. A proxy that routes by one reading and
// forwards to an endpoint that goes by another can be talked past its routes.
//
// So nothing is ever changed: what is sent to the endpoint is what came, byte for byte.
// And what could be read in more than one way is matched in each of them, and refused
// unless all come to the same route. Segments . and .. , which no client sends on purpose
// (RFC 3986, section 5.2.4, has them removed before), are refused however they are
// written, and so are control characters.
//
// What is decoded twice, and what is no UTF-8, is the endpoint's affair: it is passed on.

// Ways to read a path differently from its plain decoding, as a set.
const (
	keepEncoded  uint8 = 1 << iota // an encoded separator is a part of the name
	backslash                      // a backslash is a slash
	noParameters                   // ;parameters are no part of a segment
	noEmpty                        // empty segments do not count

	plain uint8 = 0
)

// rawPath is the path of a request's target as it came. It is not ok where the target is
// none that can be forwarded: an authority (user names included) that is no host, a
// fragment, white space (HTTP/2 would carry it).
func rawPath(target string) (path string, ok bool) {
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f || c == '#' {
			return "", false
		}
	}
	path, _, _ = strings.Cut(target, "?")
	if strings.HasPrefix(path, "/") {
		return path, true
	}
	scheme, rest, ok := strings.Cut(path, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", false
	}
	authority := rest
	path = ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	return path, authority != "" && !strings.Contains(authority, "@")
}

// character is the character of a raw path at i, decoded once, and where the next begins.
// Go's parser has seen to it that a % has two digits behind it.
func character(raw string, i int) (c byte, encoded bool, next int) {
	if raw[i] != '%' || i+2 >= len(raw) {
		return raw[i], false, i + 1
	}
	return unhex(raw[i+1])<<4 | unhex(raw[i+2]), true, i + 3
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

// survey looks a raw path through. It returns the readings that differ from the plain
// one, and whether the path may be forwarded at all.
func survey(raw string) (readings uint8, ok bool) {
	dots, named, parameters := 0, false, false // of the present segment
	empty := false                             // it is, so far
	turn := func() bool { return !named && 1 <= dots && dots <= 2 }
	for i := 0; i < len(raw); {
		c, encoded, next := character(raw, i)
		switch {
		case c < ' ' || c == 0x7f:
			return 0, false
		case c == '/' || c == '\\':
			if turn() {
				return 0, false
			}
			if encoded {
				readings |= keepEncoded
			}
			if c == '\\' {
				readings |= backslash
			}
			if empty {
				readings |= noEmpty
			}
			dots, named, parameters, empty = 0, false, false, true
			i = next
			continue
		case c == ';':
			readings |= noParameters
			parameters = true
		case parameters:
		case c == '.':
			dots++
			empty = false
		default:
			named, empty = true, false
		}
		i = next
	}
	return readings, !turn()
}

// read returns a raw path in one of its readings.
func read(raw string, as uint8) string {
	b := make([]byte, 0, len(raw))
	parameters := false
	for i := 0; i < len(raw); {
		c, encoded, next := character(raw, i)
		separates := c == '/' || c == '\\' && as&backslash != 0
		switch {
		case encoded && (c == '/' || c == '\\') && as&keepEncoded != 0:
			if !parameters {
				b = append(b, raw[i:next]...)
			}
		case separates:
			parameters = false
			if as&noEmpty == 0 || len(b) == 0 || b[len(b)-1] != '/' {
				b = append(b, '/')
			}
		case parameters:
		case c == ';' && as&noParameters != 0:
			parameters = true
		default:
			b = append(b, c)
		}
		i = next
	}
	return string(b)
}

// route is the route of a request, or nil. It is not certain where another reading of the
// path comes to another route.
func (p *Proxy) route(r *http.Request, host, raw string, readings uint8) (found *Route, certain bool) {
	path := r.URL.Path
	if path == "" {
		path = "/" // of an absolute target that is a host only
	}
	found = p.table.find(r, host, path)
	for as := readings; as != plain; as = (as - 1) & readings {
		if p.table.find(r, host, read(raw, as)) != found {
			return nil, false
		}
	}
	return found, true
}
