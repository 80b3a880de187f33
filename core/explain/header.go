package explain

import (
	"strconv"

	"github.com/evenkeel/evenkeel/core"
)

// The headers by which a client asks, and is told.
const (
	AskHeader  = "X-Evenkeel-Explain"
	TellHeader = "X-Evenkeel-Decision"
)

const (
	// MaxHeader is the most bytes that Header returns: four attempts stay below what
	// any client takes for a response's head (4 KiB and more).
	MaxHeader = 768
	// maxName is the most bytes of a name in it.
	maxName = 64
)

// Header is a decision as a member of a structured list (RFC 9651): the candidates, the
// winner first, with what is known of each; then what holds for all:
//
//	("10.0.0.1:80";verdict=ready;pending=0;cost=12.5 "10.0.0.2:80";verdict=full;pending=8);attempt=1;pool="web";mode=adaptive;reason=none;why=cheapest;considered=2
//
// The cost is in milliseconds, and left out where it is not known. Without a winner there
// is won=?0. Candidates that MaxHeader leaves no room for are left out. It is printable
// ASCII, whatever the names are.
func Header(pool string, d *core.Decision, attempt int) string {
	var tail []byte
	tail = append(tail, ");attempt="...)
	tail = strconv.AppendInt(tail, int64(attempt), 10)
	tail = quote(append(tail, ";pool="...), pool)
	tail = append(tail, ";mode="+d.Mode.String()+";reason="+d.Reason.String()+";why="+d.Merit.String()+";considered="...)
	tail = strconv.AppendInt(tail, int64(d.Considered), 10)
	if d.Winner == nil {
		tail = append(tail, ";won=?0"...)
	}
	text := []byte{'('}
	for i := range d.Listed() {
		before := len(text)
		if i > 0 {
			text = append(text, ' ')
		}
		text = candidate(text, &d.Candidates[i])
		if len(text)+len(tail) > MaxHeader {
			text = text[:before]
			break
		}
	}
	return string(append(text, tail...))
}

// maxDecimal is the first number that a decimal of RFC 9651 has no room for.
const maxDecimal = 1e12

func candidate(to []byte, c *core.Candidate) []byte {
	to = quote(to, c.Member.Key)
	to = append(to, ";verdict="+c.Verdict.String()+";pending="...)
	to = strconv.AppendInt(to, int64(c.Pending), 10)
	if ms := c.Parts.Cost * 1e3; c.Parts.Known && ms >= 0 && ms < maxDecimal {
		to = strconv.AppendFloat(append(to, ";cost="...), ms, 'f', 3, 64)
	}
	return to
}

// quote appends a string of RFC 9651, which is of printable ASCII: what is not becomes a
// question mark. It is cut where it is too long.
func quote(to []byte, name string) []byte {
	to = append(to, '"')
	for i := range min(len(name), maxName) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c < ' ' || c > '~':
			to = append(to, '?')
		default:
			to = append(to, c)
		}
	}
	return append(to, '"')
}
