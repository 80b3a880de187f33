package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// ProxyProtocol says whose connections begin with a PROXY header.
type ProxyProtocol struct {
	// From are the peers whose connections do: address ranges, where a bare address
	// stands for itself. From them the header (version 1 or 2) is required; what
	// anybody else sends is taken for the request that it has to be. Required, since a
	// client may write what it likes there.
	From []netip.Prefix `yaml:"from,required" doc:"peers whose connections begin with a PROXY header: address ranges or addresses"`
}

// HTTP2 is how much an HTTP/2 connection may have and ask for.
type HTTP2 struct {
	// MaxConcurrentStreams is how many requests may be in progress at a time, 1 to
	// 10000. Default 250, as in net/http and Traefik: less than 100 is advised against
	// (RFC 9113 §6.5.2), and a client that wants more waits, or opens another connection.
	MaxConcurrentStreams int `yaml:"max_concurrent_streams" doc:"most requests at a time on a connection, 1 to 10000"`

	// MaxFrameBytes is the largest frame that is read, 16384 to 16777215. Default
	// 16384, the least there is (RFC 9113 §6.5.2): a connection keeps a buffer as large
	// as the largest frame it has seen.
	MaxFrameBytes int `yaml:"max_frame_bytes" doc:"largest frame that is read, 16384 to 16777215 bytes"`

	// ConnectionWindowBytes and StreamWindowBytes are how much of all bodies, and of
	// one, may be on its way and not yet passed on: 65536 to 4194303 and 16384 to
	// 4194303. Default 1 MiB each, 10 MB/s at a round trip of 100 ms; the first is what
	// a connection can make the proxy hold.
	ConnectionWindowBytes int `yaml:"connection_window_bytes" doc:"most bytes of all bodies of a connection that are not yet passed on, 65536 to 4194303"`
	StreamWindowBytes     int `yaml:"stream_window_bytes" doc:"most bytes of one body that are not yet passed on, 16384 to 4194303"`

	// ResetsPerSecond is how many streams a client may reset, or break the protocol
	// on, each second, 1 to 1000000; ten seconds' worth may come at once. A connection
	// that does more is closed. Default 100, and so 1000 at once: the depth that
	// nghttp2 has for this, and four times all the streams that are open; nghttp2 fills
	// it with 33 a second, which a client of many short deadlines outdoes.
	ResetsPerSecond int `yaml:"resets_per_second" doc:"streams that a client may reset each second, ten seconds' worth at once, 1 to 1000000; more closes the connection"`

	// ControlFramesPerSecond is the same for frames that bring neither a request nor
	// data (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, CONTINUATION): each
	// frame of an answer allows for four more. Default 1000, and so 10000 at once, the
	// number of unsent answers to them at which net/http gives up.
	ControlFramesPerSecond int `yaml:"control_frames_per_second" doc:"frames without request or data each second, ten seconds' worth at once and four more for each frame of an answer, 1 to 1000000; more closes the connection"`
}

var defaultHTTP2 = HTTP2{
	MaxConcurrentStreams: 250, MaxFrameBytes: 16 << 10,
	ConnectionWindowBytes: 1 << 20, StreamWindowBytes: 1 << 20,
	ResetsPerSecond: 100, ControlFramesPerSecond: 1000,
}

// Mode is SocketMode as a number; 0 where it is absent.
func (l *Listener) Mode() fs.FileMode {
	n, _ := strconv.ParseUint(l.SocketMode, 8, 16) // validated before
	return fs.FileMode(n)
}

const (
	minFrameBytes, maxFrameBytes = 16 << 10, 1<<24 - 1
	minWindowBytes               = 64 << 10
	maxWindowBytes               = 4<<20 - 1 // net/http takes less than 4 MiB
)

// unixPrefix begins the address of a Unix socket.
const unixPrefix = "unix:"

// checkListen is checkAddress for a listener that may be a Unix socket.
func checkListen(report strict.Report, path, address string) (key string, ok bool) {
	socket, isUnix := strings.CutPrefix(address, unixPrefix)
	switch {
	case !isUnix:
		return checkAddress(report, path, address)
	case !strings.HasPrefix(socket, "/") || strings.HasSuffix(socket, "/") || strings.ContainsRune(socket, 0):
		report(path, "expected the absolute path of a file after unix:, such as unix:/run/evenkeel.sock, found %q", address)
		return "", false
	case len(socket) > maxSocketPath:
		report(path, "expected a path of at most %d bytes after unix:, found %d", maxSocketPath, len(socket))
		return "", false
	}
	return address, true
}

var modePattern = regexp.MustCompile(`^0?[0-7]{3}$`)

// validateEntry reports what is wrong with how connections come in, by paths from l.
func (l *Listener) validateEntry(report strict.Report) {
	switch {
	case l.SocketMode == "":
	case !strings.HasPrefix(l.Address, unixPrefix):
		report("socket_mode", "%s is no Unix socket and has no mode: only unix: has", l.Address)
	case !modePattern.MatchString(l.SocketMode):
		report("socket_mode", "expected a mode in octal digits, such as \"0660\", found %q", l.SocketMode)
	}
	between(report, "max_connections", l.MaxConnections, 0, maxCount)
	between(report, "max_connections_per_client", l.MaxConnectionsPerClient, 0, maxCount)
	l.HTTP2.validate(report.At("http2"))
	if p := l.ProxyProtocol; p != nil {
		p.validate(report.At("proxy_protocol"))
	}
	if l.TLS != nil {
		l.TLS.validate(report.At("tls"))
	}
}

func (p *ProxyProtocol) validate(report strict.Report) {
	if len(p.From) == 0 {
		report("from", "expected at least one address range")
	}
	for i, r := range p.From {
		if r != r.Masked() {
			report(fmt.Sprintf("from[%d]", i), "%s has bits set beyond its length: expected %s", r, r.Masked())
		}
	}
}

func (h *HTTP2) validate(report strict.Report) {
	between(report, "max_concurrent_streams", h.MaxConcurrentStreams, 1, 10_000)
	between(report, "max_frame_bytes", h.MaxFrameBytes, minFrameBytes, maxFrameBytes)
	between(report, "connection_window_bytes", h.ConnectionWindowBytes, minWindowBytes, maxWindowBytes)
	between(report, "stream_window_bytes", h.StreamWindowBytes, minFrameBytes, maxWindowBytes)
	between(report, "resets_per_second", h.ResetsPerSecond, 1, maxCount)
	between(report, "control_frames_per_second", h.ControlFramesPerSecond, 1, maxCount)
}
