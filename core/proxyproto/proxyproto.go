// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2, with which
// a balancer in front says whose connection it passes on (the specification is HAProxy's,
// doc/proxy-protocol.txt, 2020/03/05):
//
//	PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n
//
// is version 1; version 2 says the same in binary and may add fields of type, length and
// value (TLVs).
//
// It is the first thing that comes from a peer, and so it is read strictly and within
// bounds. Whether the peer is to be believed is for the caller to know.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strconv"
)

// MaxLength is the longest header that is read, in bytes: a version 1 header has at most
// 107; of version 2 the addresses take up to 232, and the TLVs that are in use, a client's
// certificate being the longest, fit into the rest.
const MaxLength = 4 << 10

// Sentinels of Parse.
var (
	// ErrShort says that the header goes on: call again with more.
	ErrShort = errors.New("proxyproto: the header is not complete")
	// ErrForm says that this is no header, or a malformed one.
	ErrForm = errors.New("proxyproto: expected a well-formed PROXY header")
	// ErrLong says that the header is longer than MaxLength.
	ErrLong = errors.New("proxyproto: the header is too long")
	// ErrChecksum says that the header has a checksum and that it is wrong.
	ErrChecksum = errors.New("proxyproto: the checksum is wrong")
)

// Header is what a header says. The zero value is one that says nothing of the client.
type Header struct {
	// Source is the client. Not valid where the header names none, because the
	// connection is the balancer's own (LOCAL) or of a kind without an address
	// (UNKNOWN, UNSPEC, a Unix socket): the peer's address stands then.
	Source netip.AddrPort
}

const (
	// prefix1 begins a header of version 1, signature2 one of version 2.
	prefix1    = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
	// longest1 is the longest header of version 1, its end included.
	longest1 = 107
)

// Parse reads the header at the beginning of b, and returns how many bytes it takes. The
// error is one of the sentinels. ErrShort is returned for less than MaxLength bytes only,
// and as soon as b cannot become a header any more the error is another one.
func Parse(b []byte) (h Header, n int, err error) {
	switch {
	case begins(b, signature2):
		return parse2(b)
	case begins(b, prefix1):
		return parse1(b)
	}
	return Header{}, 0, ErrForm
}

// begins reports whether b and what is expected are the same as far as both go.
func begins(b []byte, expected string) bool {
	n := min(len(b), len(expected))
	return string(b[:n]) == expected[:n]
}

// parse1 reads a line of text.
func parse1(b []byte) (Header, int, error) {
	end := bytes.IndexByte(b[:min(len(b), longest1)], '\n')
	switch {
	case end < 0 && len(b) < longest1:
		return Header{}, 0, ErrShort
	case end < 1 || b[end-1] != '\r':
		return Header{}, 0, ErrForm
	}
	line := b[len(prefix1) : end-1]
	family, rest, _ := bytes.Cut(line, []byte(" "))
	if string(family) == "UNKNOWN" {
		return Header{}, end + 1, nil // whatever else stands there is to be ignored
	}
	var fields [4][]byte // source, destination, and their ports
	for i := range fields {
		var more bool
		if fields[i], rest, more = bytes.Cut(rest, []byte(" ")); more != (i < 3) {
			return Header{}, 0, ErrForm
		}
	}
	source, ok := endpoint(family, fields[0], fields[2])
	if _, also := endpoint(family, fields[1], fields[3]); !ok || !also {
		return Header{}, 0, ErrForm
	}
	return Header{source}, end + 1, nil
}

// endpoint reads an address of the family and its port.
func endpoint(family, address, port []byte) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(string(address))
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	switch string(family) {
	case "TCP4":
		if !a.Is4() {
			return netip.AddrPort{}, false
		}
	case "TCP6":
		if !a.Is6() {
			return netip.AddrPort{}, false
		}
	default:
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}

const (
	head2 = 16 // signature, version and command, family and protocol, length

	commandLocal, commandProxy = 0x20, 0x21 // with the version, 2, in the high half

	familyUnspec, familyIPv4, familyIPv6, familyUnix = 0, 1, 2, 3

	typeCRC32C = 0x03 // of a TLV
)

// lengths are how many bytes the addresses of each family take.
var lengths = [...]int{familyUnspec: 0, familyIPv4: 12, familyIPv6: 36, familyUnix: 216}

// parse2 reads the binary form.
func parse2(b []byte) (Header, int, error) {
	if len(b) >= 13 && b[12] != commandLocal && b[12] != commandProxy {
		return Header{}, 0, ErrForm
	}
	if len(b) < head2 {
		return Header{}, 0, ErrShort
	}
	n := head2 + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case n > MaxLength:
		return Header{}, 0, ErrLong
	case len(b) < n:
		return Header{}, 0, ErrShort
	}
	local, family, protocol, body := b[12] == commandLocal, int(b[13]>>4), b[13]&0xf, b[head2:n]
	if family >= len(lengths) || protocol > 2 || len(body) < lengths[family] {
		return Header{}, 0, ErrForm
	}
	if err := fields2(b[:n], body[lengths[family]:]); err != nil {
		return Header{}, 0, err
	}
	if local || protocol != 1 { // what is not a stream has no business here, but the rules let it pass
		return Header{}, n, nil
	}
	switch family {
	case familyIPv4:
		a := netip.AddrFrom4([4]byte(body))
		return Header{netip.AddrPortFrom(a, binary.BigEndian.Uint16(body[8:]))}, n, nil
	case familyIPv6:
		a := netip.AddrFrom16([16]byte(body))
		return Header{netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(body[32:]))}, n, nil
	}
	return Header{}, n, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fields2 walks over the TLVs at the end of a header and verifies its checksum, where it
// has one: the CRC32C of the whole header with the checksum's own bytes as zeros.
func fields2(header, tlvs []byte) error {
	for len(tlvs) > 0 {
		if len(tlvs) < 3 {
			return ErrForm
		}
		kind, size := tlvs[0], int(binary.BigEndian.Uint16(tlvs[1:]))
		if len(tlvs) < 3+size {
			return ErrForm
		}
		value := tlvs[3 : 3+size]
		tlvs = tlvs[3+size:]
		if kind != typeCRC32C {
			continue
		}
		if size != 4 {
			return ErrForm
		}
		at := len(header) - len(tlvs) - 4
		sum := crc32.Update(0, castagnoli, header[:at])
		sum = crc32.Update(sum, castagnoli, []byte{0, 0, 0, 0})
		sum = crc32.Update(sum, castagnoli, header[at+4:])
		if sum != binary.BigEndian.Uint32(value) {
			return ErrChecksum
		}
	}
	return nil
}
