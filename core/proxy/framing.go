package proxy

import (
	"bytes"
	"strconv"
)

// framing follows the requests of an HTTP/1 connection as they come, from head to body to
// head, and stops at what is not framed beyond doubt. It knows just enough for that. It
// decides nothing about what passes: net/http parses that, and is the authority. The one
// thing that it takes out is an empty line before a request.
//
// It is here because net/http repairs without a trace what the proxy should not repair,
// since somebody before it may have repaired it differently (RFC 9112, section 11.2):
// both Content-Length and Transfer-Encoding, of which it drops the first; a
// Transfer-Encoding in HTTP/1.0, which it drops; Content-Length twice; folded lines; and
// lines that end without a carriage return.
//
// It holds a fixed number of bytes, however long the lines are.
type framing struct {
	state state
	begun bool // something has come before this request

	kept [64]byte // how the present line begins
	tail [8]byte  // how it ends, without what ends it
	n    int      // how long it is so far

	ahead                      uint8  // of the first line: 1 for a carriage return that is held back, 2 for an empty line
	old, chunked, coded, sized bool   // what the head says
	left                       uint64 // of the body, or of the chunk
	odd                        bool   // a head expects what net/http refuses; for the guard, which takes it back
}

// state is what the next byte belongs to.
type state uint8

const (
	inStart   state = iota // the first line of a request
	inHeader               // a line of its header
	inBody                 // a body of known length
	inSize                 // the line with a chunk's size
	inChunk                // a chunk, with the line break behind it
	inTrailer              // a line of the trailer
	inAnother              // another protocol, which is none of its business
)

// feed takes in what has come, and returns what of it may be passed on, in the same place,
// and whether all was in order. If not, what is passed on is never a whole head. An empty
// line before a request is not passed on.
func (f *framing) feed(b []byte) (passed []byte, ok bool) {
	for i := 0; i < len(b); {
		if f.state == inStart && f.n == 0 {
			empty, ok := f.before(b[i])
			if !ok {
				return b[:i], false
			}
			if empty {
				b = append(b[:i], b[i+1:]...)
				continue
			}
		}
		switch f.state {
		case inAnother:
			return b, true
		case inBody, inChunk:
			n := min(uint64(len(b)-i), f.left)
			f.left -= n
			i += int(n)
			if f.left > 0 {
				break
			}
			if f.state == inBody {
				f.next()
			} else {
				f.state = inSize
			}
		default:
			end := bytes.IndexByte(b[i:], '\n')
			if end < 0 {
				f.keep(b[i:])
				return b, true
			}
			f.keep(b[i : i+end])
			if !f.line() {
				return b[:i+end], false
			}
			f.n = 0
			i += end + 1
		}
	}
	return b, true
}

// before takes in a byte at the beginning of a line where a request may begin, and reports
// whether it is of an empty line that has no meaning there, and in order if it is. One such
// line is forgiven, as servers should (RFC 9112, section 2.2): net/http does it after a
// POST only.
func (f *framing) before(c byte) (empty, ok bool) {
	switch {
	case f.ahead == 0 && c == '\r':
		f.ahead = 1
		return true, true
	case f.ahead == 1:
		f.ahead = 2
		return true, c == '\n'
	}
	return false, true
}

// keep adds to the present line.
func (f *framing) keep(part []byte) {
	if f.n < len(f.kept) {
		copy(f.kept[f.n:], part)
	}
	f.n += len(part)
	if n := len(part); n >= len(f.tail) {
		copy(f.tail[:], part[n-len(f.tail):])
	} else {
		copy(f.tail[:], f.tail[n:])
		copy(f.tail[len(f.tail)-n:], part)
	}
}

// line takes in a whole line, and reports whether it is in order.
func (f *framing) line() bool {
	if f.n == 0 || f.tail[len(f.tail)-1] != '\r' {
		return false // a line feed alone
	}
	line := f.kept[:min(f.n-1, len(f.kept))]
	whole := f.n-1 <= len(f.kept)
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return false // folded
	}
	switch f.state {
	case inStart:
		return f.start(line)
	case inHeader:
		if len(line) == 0 {
			f.headEnds()
			return true
		}
		return f.header(line, whole)
	case inSize:
		return f.size(line, whole)
	case inTrailer:
		if len(line) == 0 {
			f.next()
		}
	}
	return true
}

// start takes in the first line of a request.
func (f *framing) start(line []byte) bool {
	if len(line) == 0 {
		return true // for net/http to forgive, or not
	}
	if bytes.HasPrefix(line, []byte("PRI ")) { // HTTP/2, if anything
		f.state = inAnother
		return !f.begun && f.ahead == 0
	}
	if !bytes.HasPrefix(f.tail[:], []byte("TTP/")) {
		return false // HTTP/0.9, which net/http might take for the beginning of more
	}
	f.old = string(f.tail[:]) == "TTP/1.0\r"
	f.state, f.begun = inHeader, true
	return true
}

// header takes in a line of the header.
func (f *framing) header(line []byte, whole bool) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return true // not a line of a header, or one with a very long name
	}
	value = bytes.Trim(value, " \t")
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil || f.sized || f.coded || !whole {
			return false
		}
		f.sized, f.left = true, n
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		if f.old || f.sized || f.coded || !whole {
			return false
		}
		f.coded, f.chunked = true, bytes.EqualFold(value, []byte("chunked"))
		// Where another coding is the last, nobody knows the end (RFC 9112, section 6.3).
		last := bytes.Trim(value[bytes.LastIndexByte(value, ',')+1:], " \t")
		return bytes.EqualFold(last, []byte("chunked"))
	case bytes.EqualFold(name, []byte("Expect")):
		f.odd = len(value) > 0 && !bytes.Contains(bytes.ToLower(value), []byte("100-continue"))
	}
	return true
}

// headEnds goes on to the body.
func (f *framing) headEnds() {
	switch {
	case f.chunked:
		f.state = inSize
	case f.left > 0:
		f.state = inBody
	default:
		f.next()
	}
}

// size takes in the line before a chunk: its size in hexadecimal, and extensions, which
// nobody has a use for. What is too long to be looked at is not in order.
func (f *framing) size(line []byte, whole bool) bool {
	digits := line
	if end := bytes.IndexAny(line, "; \t"); end >= 0 {
		digits = line[:end]
	}
	n, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil || !whole || !extensions(line[len(digits):]) {
		return false
	}
	f.state, f.left = inChunk, n+uint64(len("\r\n"))
	if n == 0 {
		f.state = inTrailer
	}
	return true
}

// next goes on to the next request.
func (f *framing) next() {
	*f = framing{begun: true, kept: f.kept, tail: f.tail, odd: f.odd}
}
