package flood

import "encoding/binary"

// Types of frames (RFC 9113 §6).
const (
	typeData    = 0x0
	typeHeaders = 0x1
	typeReset   = 0x3
)

// Flags of DATA (RFC 9113 §6.1).
const (
	flagEndStream = 0x1
	flagPadded    = 0x8
)

// What a frame means here; 0 is nothing.
const (
	reset   = iota + 1 // a stream was reset
	control            // it brings neither a request nor data
	answer             // a part of an answer
)

// head is the head of a frame, and of its payload what matters here.
type head struct {
	kind, flags byte
	length      uint32  // of the payload, 24 bits
	extra       [4]byte // of DATA with padding: its length; of RST_STREAM: the code
}

// asks is what a client's frame means.
func (h *head) asks() int {
	switch h.kind {
	case typeHeaders:
		return 0
	case typeReset:
		return reset
	case typeData:
		data := int64(h.length)
		if h.flags&flagPadded != 0 {
			data -= 1 + int64(h.extra[0])
		}
		if data > 0 || h.flags&flagEndStream != 0 {
			return 0
		}
	}
	return control
}

// Codes of errors (RFC 9113 §7).
const (
	codeProtocol    = 0x1
	codeFlowControl = 0x3
	codeFrameSize   = 0x6
	codeRefused     = 0x7
	codeCompression = 0x9
)

// tells is what a server's frame means. A stream that the server resets counts where the
// client is to blame: not where an answer broke off, nor where it was given early and the
// rest of the body is not wanted (NO_ERROR, and STREAM_CLOSED for what was on its way).
func (h *head) tells() int {
	switch h.kind {
	case typeData, typeHeaders:
		return answer
	case typeReset:
		switch binary.BigEndian.Uint32(h.extra[:]) {
		case codeProtocol, codeFlowControl, codeFrameSize, codeRefused, codeCompression:
			return reset
		}
	}
	return 0
}

// headLength is the length of a frame's head in bytes.
const headLength = 9

// reader finds the heads of frames in a stream of bytes, however it is cut up.
type reader struct {
	buffer [headLength + 4]byte
	have   uint8
	skip   uint32 // bytes of a payload that are still to come
}

// next returns the next frame that begins in b, and what of b is left after that. When it
// is not ok there is none; b is used up then.
func (r *reader) next(b []byte) (h head, rest []byte, ok bool) {
	n := min(uint32(len(b)), r.skip)
	b, r.skip = b[n:], r.skip-n
	for len(b) > 0 {
		r.buffer[r.have] = b[0]
		r.have++
		b = b[1:]
		if r.have < headLength {
			continue
		}
		length := uint32(r.buffer[0])<<16 | uint32(r.buffer[1])<<8 | uint32(r.buffer[2])
		h = head{kind: r.buffer[3], flags: r.buffer[4], length: length}
		extra := uint32(r.have) - headLength
		if extra < h.extras() {
			continue
		}
		copy(h.extra[:extra], r.buffer[headLength:])
		r.have, r.skip = 0, length-extra
		return h, b, true
	}
	return head{}, nil, false
}

// extras is how many bytes of its payload belong to a head.
func (h *head) extras() uint32 {
	switch {
	case h.kind == typeReset:
		return min(h.length, 4)
	case h.kind == typeData && h.flags&flagPadded != 0:
		return min(h.length, 1)
	}
	return 0
}
