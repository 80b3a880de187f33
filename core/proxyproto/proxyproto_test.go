package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// v2 is a header of version 2 with the command and family bytes given.
func v2(command, family byte, body ...byte) string {
	b := append([]byte(signature2), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return string(append(b, body...))
}

var (
	addresses4 = []byte{192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb}
	addresses6 = append(append(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice()...), 0xdc, 0x04, 0x01, 0xbb)
	mapped6    = append(append(netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), netip.MustParseAddr("::1").AsSlice()...), 0xdc, 0x04, 0x01, 0xbb)
)

// with is the addresses with what follows them.
func with(addresses []byte, tlvs ...byte) []byte {
	return append(addresses[:len(addresses):len(addresses)], tlvs...)
}

// summed is a header of version 2 whose checksum is right, with a TLV before it and one
// after.
func summed() string {
	b := []byte(v2(0x21, 0x11, with(addresses4, 0x05, 0, 2, 'i', 'd', 0x03, 0, 4, 0, 0, 0, 0, 0x04, 0, 1, 0)...))
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[len(b)-8:], sum)
	return string(b)
}

func TestParse(t *testing.T) {
	const four, six = "192.0.2.7:56324", "[2001:db8::7]:56324"
	line := func(s string) string { return "PROXY " + s + "\r\n" }
	damaged := []byte(summed())
	damaged[20]++ // the destination
	for _, c := range []struct {
		name, header, source string
		err                  error
	}{
		{"v1", line("TCP4 192.0.2.7 198.51.100.1 56324 443"), four, nil},
		{"v1 IPv6", line("TCP6 2001:db8::7 2001:db8::1 56324 443"), six, nil},
		{"v1 longest", line("TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:65535", nil},
		{"v1 mapped", line("TCP6 ::ffff:192.0.2.7 ::1 56324 443"), four, nil},
		{"v1 port 0", line("TCP4 192.0.2.7 198.51.100.1 0 443"), "192.0.2.7:0", nil},
		{"v1 unknown", line("UNKNOWN"), "", nil},
		{"v1 unknown with more", line("UNKNOWN ffff::1 what ever"), "", nil},
		{"v1 no family", line(""), "", ErrForm},
		{"v1 other family", line("TCP5 192.0.2.7 198.51.100.1 1 2"), "", ErrForm},
		{"v1 lower case", "proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "", ErrForm},
		{"v1 wrong family", line("TCP4 2001:db8::7 2001:db8::1 1 2"), "", ErrForm},
		{"v1 wrong family of four", line("TCP6 192.0.2.7 198.51.100.1 1 2"), "", ErrForm},
		{"v1 zone", line("TCP6 fe80::1%eth0 2001:db8::1 1 2"), "", ErrForm},
		{"v1 destination", line("TCP4 192.0.2.7 x 1 2"), "", ErrForm},
		{"v1 destination's port", line("TCP4 192.0.2.7 198.51.100.1 1 x"), "", ErrForm},
		{"v1 port too large", line("TCP4 192.0.2.7 198.51.100.1 65536 2"), "", ErrForm},
		{"v1 leading zero", line("TCP4 192.0.2.7 198.51.100.1 01 2"), "", ErrForm},
		{"v1 sign", line("TCP4 192.0.2.7 198.51.100.1 +1 2"), "", ErrForm},
		{"v1 no port", line("TCP4 192.0.2.7 198.51.100.1 1"), "", ErrForm},
		{"v1 empty port", line("TCP4 192.0.2.7 198.51.100.1  2"), "", ErrForm},
		{"v1 a field too many", line("TCP4 192.0.2.7 198.51.100.1 1 2 3"), "", ErrForm},
		{"v1 two spaces", line("TCP4  192.0.2.7 198.51.100.1 1 2"), "", ErrForm},
		{"v1 bare line feed", "PROXY TCP4 192.0.2.7 198.51.100.1 1 22\n", "", ErrForm},
		{"v1 too long", "PROXY " + strings.Repeat("x", 101), "", ErrForm},
		{"v1 too long, and ends", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", "", ErrForm},
		{"v1 as long as may be", "PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", "", nil},
		{"v1 half", "PROXY TCP4 192.0.2.7 198.51", "", ErrShort},
		{"nothing", "", "", ErrShort},
		{"a request", "GET / HTTP/1.1\r\n", "", ErrForm},
		{"a request like it", "POST / HTTP/1.1\r\n", "", ErrForm},

		{"v2", v2(0x21, 0x11, addresses4...), four, nil},
		{"v2 IPv6", v2(0x21, 0x21, addresses6...), six, nil},
		{"v2 mapped", v2(0x21, 0x21, mapped6...), four, nil},
		{"v2 local", v2(0x20, 0x11, addresses4...), "", nil},
		{"v2 local, unspecified", v2(0x20, 0x00), "", nil},
		{"v2 unspecified", v2(0x21, 0x00), "", nil},
		{"v2 unspecified with bytes that are no TLV", v2(0x21, 0x00, 1), "", ErrForm},
		{"v2 datagram", v2(0x21, 0x12, addresses4...), "", nil},
		{"v2 unix", v2(0x21, 0x31, make([]byte, 216)...), "", nil},
		{"v2 unix too short", v2(0x21, 0x31, make([]byte, 215)...), "", ErrForm},
		{"v2 too short", v2(0x21, 0x11, addresses4[:11]...), "", ErrForm},
		{"v2 IPv6 too short", v2(0x21, 0x21, addresses6[:35]...), "", ErrForm},
		{"v2 other family", v2(0x21, 0x41, make([]byte, 216)...), "", ErrForm},
		{"v2 other protocol", v2(0x21, 0x13, addresses4...), "", ErrForm},
		{"v2 other command", v2(0x22, 0x11, addresses4...), "", ErrForm},
		{"v2 other version", v2(0x11, 0x11, addresses4...), "", ErrForm},
		{"v2 other command, known early", signature2 + "\x31", "", ErrForm},
		{"v2 TLVs", v2(0x21, 0x11, with(addresses4, 0x04, 0, 1, 9, 0xee, 0, 0)...), four, nil},
		{"v2 half a TLV", v2(0x21, 0x11, with(addresses4, 0x04, 0)...), "", ErrForm},
		{"v2 TLV too long", v2(0x21, 0x11, with(addresses4, 0x04, 0, 2, 9)...), "", ErrForm},
		{"v2 checksum", summed(), four, nil},
		{"v2 checksum wrong", string(damaged), "", ErrChecksum},
		{"v2 checksum's length", v2(0x21, 0x11, with(addresses4, 0x03, 0, 3, 1, 2, 3)...), "", ErrForm},
		{"v2 checksum's length, too much", v2(0x21, 0x11, with(addresses4, 0x03, 0, 5, 1, 2, 3, 4, 5)...), "", ErrForm},
		{"v2 two checksums", v2(0x21, 0x11, with(addresses4, 0x03, 0, 4, 0, 0, 0, 0, 0x03, 0, 4, 0, 0, 0, 0)...), "", ErrChecksum},
		{"v2 longest", v2(0x20, 0x00, with([]byte{0x04, 0x0f, 0xed}, make([]byte, MaxLength-16-3)...)...), "", nil},
		{"v2 too long", v2(0x20, 0x00, make([]byte, MaxLength-16+1)...), "", ErrLong},
		{"v2 half a signature", signature2[:5], "", ErrShort},
		{"v2 not that signature", "\r\n\r\n\x00\r\nQUIT\r", "", ErrForm},
		{"v2 half", v2(0x21, 0x11, addresses4...)[:20], "", ErrShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, n, err := Parse([]byte(c.header + "GET / HTTP/1.1\r\n")[:len(c.header)])
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			got := ""
			if h.Source.IsValid() {
				got = h.Source.String()
			}
			if got != c.source {
				t.Errorf("source: got %q, want %q", got, c.source)
			}
			if want := len(c.header); err == nil && n != want {
				t.Errorf("length: got %d, want %d", n, want)
			}
			if err == nil {
				checkPrefixes(t, c.header)
			}
		})
	}
}

// checkPrefixes: every part of a header that begins it is short, and what follows it
// changes nothing.
func checkPrefixes(t *testing.T, header string) {
	t.Helper()
	for n := range len(header) {
		if _, _, err := Parse([]byte(header[:n])); err != ErrShort {
			t.Fatalf("the first %d of %d bytes: got %v, want %v", n, len(header), err, ErrShort)
		}
	}
	whole, n, err := Parse([]byte(header))
	after, m, also := Parse([]byte(header + "\r\nmore"))
	if whole != after || n != m || err != also {
		t.Errorf("followed by more: got %v, %d, %v, want %v, %d, %v", after, m, also, whole, n, err)
	}
}

// Whatever comes: what is read is within bounds, what begins a header is short, and the
// answer does not depend on what follows.
func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(summed()))
	f.Add([]byte(v2(0x21, 0x21, addresses6...)))
	f.Add([]byte(v2(0x20, 0x00)))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		switch {
		case err == ErrShort && len(b) >= MaxLength:
			t.Fatalf("%d bytes are short", len(b))
		case err == nil && (n < 1 || n > len(b) || n > MaxLength):
			t.Fatalf("a header of %d bytes in %d", n, len(b))
		case err != nil && (n != 0 || h != Header{}):
			t.Fatalf("got %v and %d with %v", h, n, err)
		case err != nil:
			return
		}
		if h.Source.Addr().Is4In6() || h.Source.Addr().Zone() != "" {
			t.Fatalf("source: %v", h.Source)
		}
		same, m, err := Parse(bytes.Clone(b[:n]))
		if same != h || m != n || err != nil {
			t.Fatalf("alone: got %v, %d, %v, want %v, %d", same, m, err, h, n)
		}
		if _, _, err := Parse(b[:n-1]); err != ErrShort {
			t.Fatalf("without its last byte: got %v", err)
		}
	})
}
