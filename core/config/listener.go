package config

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Listener is one address that clients connect to.
type Listener struct {
	// Address to listen on, as host:port; an empty host means all addresses, and
	// port 0 lets the system choose. Or unix: and the absolute path of a Unix socket,
	// whose peers count as 127.0.0.1. Required.
	Address string `yaml:"address,scalar,required" doc:"address to listen on, as host:port, or unix: and an absolute path"`

	// SocketMode is the mode of a Unix socket's file, in octal digits. Empty (the
	// default): as the process's umask has it.
	SocketMode string `yaml:"socket_mode,omitempty" doc:"mode of a Unix socket's file in octal digits, such as 0660; absent: by the umask"`

	// TLS makes the listener one of TLS, with HTTP/2 and HTTP/1.1; nil (the default)
	// means HTTP/1.1 and HTTP/2 without (h2c).
	TLS *TLS `yaml:"tls" doc:"TLS; absent: none"`

	// ProxyProtocol makes connections of certain peers begin with a PROXY header; nil
	// (the default) means that nobody's do.
	ProxyProtocol *ProxyProtocol `yaml:"proxy_protocol" doc:"whose connections begin with a PROXY header; absent: nobody's"`

	// MaxConnections is how many connections the listener has at most. Beyond them
	// none is accepted: they wait in the system's queue until one is closed. 1 to
	// 1000000; 0 (the default) means that it shares, with all other listeners that say
	// so, half of the files that the process may have open, less 256 for itself: a
	// request needs a file for each side.
	MaxConnections int `yaml:"max_connections" doc:"most connections, 1 to 1000000; 0: a share of half the files that the process may open"`

	// MaxConnectionsPerClient is how many a client may have, by its address (of IPv6,
	// the first 64 bits), after the PROXY header. One more is closed at once. 1 to
	// 1000000; 0 (the default) means no limit: behind another balancer, or an office's
	// router, all clients have one address.
	MaxConnectionsPerClient int `yaml:"max_connections_per_client" doc:"most connections of one client address, 1 to 1000000; 0: no limit"`

	// HTTP2 is how much an HTTP/2 connection may have and ask for.
	HTTP2 HTTP2 `yaml:"http2" doc:"how much an HTTP/2 connection may have and ask for"`

	// ReadHeaderTimeout is how long a client may take to send a request's head, and
	// before it, for its PROXY header and the TLS handshake together.
	// Default 10s: ample for a slow link, and without a bound a few idle clients
	// could hold all connections (the Slowloris attack). 0 means none.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" doc:"how long a client may take to send the head of a request, and for the TLS handshake; 0 means no limit"`

	// IdleTimeout is how long a connection may wait for its next request.
	// Default 90s: longer than the 60 s after which the balancers and clients in
	// front commonly close, so that the side that sends requests closes first
	// and none is lost in the race. 0 means none.
	IdleTimeout time.Duration `yaml:"idle_timeout" doc:"how long a connection may wait for its next request; 0 means no limit"`

	// MaxHeaderBytes bounds the head of a request, in bytes, 1024 to 16777216.
	// Default 65536: room for large cookies and tokens, a sixteenth of what
	// net/http and Traefik would let every connection claim.
	MaxHeaderBytes int `yaml:"max_header_bytes" doc:"largest head of a request in bytes, 1024 to 16777216"`

	// MaxHeaders bounds the lines in the header of a request, 1 to 10000; more are
	// answered with 431. Default 128: browsers send thirty, Apache and HAProxy take a
	// hundred, and each costs every proxy and endpoint on the way more than its bytes.
	MaxHeaders int `yaml:"max_headers" doc:"most lines in the header of a request, 1 to 10000"`

	// Transfer says how slowly a client may send the body of its request, and take its
	// answer.
	Transfer Transfer `yaml:"transfer" doc:"how slowly a client may send the body of its request, and take its answer"`

	// MaxBodyBytes bounds the body of a request, in bytes; a route may set a bound of
	// its own. Default 0, no bound: bodies are streamed and cost no memory, and what is
	// too large for an endpoint, the endpoint knows.
	MaxBodyBytes int64 `yaml:"max_body_bytes" doc:"largest body of a request in bytes; 0 means no limit"`
}

// Defaults sets every field but the address, which has none.
func (l *Listener) Defaults() {
	*l = Listener{ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 64 << 10, MaxHeaders: 128, Transfer: defaultTransfer, HTTP2: defaultHTTP2}
}

const minHeaderBytes, maxHeaderBytes = 1 << 10, 16 << 20

func (f *File) validateListeners(report strict.Report) {
	taken := map[string]string{}
	address := func(path, value string, check func(strict.Report, string, string) (string, bool)) {
		key, ok := check(report, path, value)
		if !ok || key == "" {
			return
		}
		if other, dup := taken[key]; dup {
			report(path, "%q is the address of %s already", value, other)
			return
		}
		taken[key] = path
	}
	for i, l := range f.Listeners {
		path := fmt.Sprintf("listeners[%d]", i)
		address(path+".address", l.Address, checkListen)
		l.validateEntry(report.At(path))
		notNegative(report, path+".read_header_timeout", l.ReadHeaderTimeout)
		notNegative(report, path+".idle_timeout", l.IdleTimeout)
		between(report, path+".max_header_bytes", l.MaxHeaderBytes, minHeaderBytes, maxHeaderBytes)
		between(report, path+".max_headers", l.MaxHeaders, 1, 10_000)
		l.Transfer.Validate(report.At(path + ".transfer"))
		checkBody(report, path+".max_body_bytes", l.MaxBodyBytes)
	}
	if f.Admin.Enabled {
		address("admin.address", f.Admin.Address, checkAddress)
	}
}
