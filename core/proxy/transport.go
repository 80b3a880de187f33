package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
)

// Upstream is where an endpoint is: the core.Member's Target. The URL of an endpoint that is
// a socket of this machine is http:// with the path of the socket as its host.
type Upstream struct{ URL *url.URL }

// UpstreamOf is where the endpoint of the settings is.
func UpstreamOf(e config.Endpoint) (Upstream, error) {
	if network, path, _ := e.Address(); network == "unix" {
		return Upstream{&url.URL{Scheme: "http", Host: path}}, nil
	}
	u, err := url.Parse(e.URL)
	return Upstream{u}, err
}

// String returns the endpoint's URL.
func (u Upstream) String() string {
	if u.socket() {
		return "unix://" + u.URL.Host
	}
	return u.URL.String()
}

// socket reports whether the endpoint is a socket of this machine: no host name begins with
// a slash.
func (u Upstream) socket() bool { return strings.HasPrefix(u.URL.Host, "/") }

// Transport sends requests to the endpoints of a pool: one for all of them, kept for the
// pool's life, so that connections are used again. It is net/http's, with a stricter eye on
// what comes back. Safe for concurrent use.
type Transport struct {
	// Dial opens connections: network is tcp or unix. NewTransport sets it; it may be
	// changed before the first use.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	protocol string
	secure   *tls.Config
	connect  time.Duration // 0 for no bound
	http     http.Transport
}

// NewTransport returns a transport for endpoints that are reached in this way. The error is
// about the files that the settings name.
//
// The pool of idle connections is sized by what is in flight: it has no cap of its
// own below the concurrency (a cap would close and open connections at every peak,
// which doubles the cost of a request), and what a peak leaves over is closed after
// idleFor. A connection of HTTP/2 takes as many requests as the endpoint allows; then
// another one is opened.
func NewTransport(u config.Upstream, timeouts config.Timeouts) (*Transport, error) {
	secure, err := u.TLS.Config()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	t := &Transport{
		Dial:     (&net.Dialer{Timeout: timeouts.Connect}).DialContext,
		protocol: u.Protocol, secure: secure, connect: timeouts.Connect,
	}
	protocols := new(http.Protocols)
	switch u.Protocol {
	case config.ProtocolHTTP1:
		protocols.SetHTTP1(true)
		secure.NextProtos = []string{"http/1.1"}
	case config.ProtocolH2:
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
		secure.NextProtos = []string{"h2"}
	default:
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
		secure.NextProtos = []string{"h2", "http/1.1"}
	}
	t.http = http.Transport{
		DialContext:           t.dialPlain,
		DialTLSContext:        t.dialSecure,
		Protocols:             protocols,
		DisableCompression:    true, // the client's Accept-Encoding is the client's
		MaxIdleConnsPerHost:   1 << 20,
		IdleConnTimeout:       idleFor,
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        readBuffer,
		// The head of an answer may be as large as that of a request may become.
		MaxResponseHeaderBytes: 1 << 20,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWithin, WriteByteTimeout: pingAfter + pingWithin},
	}
	return t, nil
}

// idleFor is shorter than the keep-alive times that are common among servers (nginx
// 75 s, Apache 5 s, Node 5 s, Go none): a connection that the endpoint closes first
// costs a silent redial for safe requests and a failure for others.
const idleFor = 60 * time.Second

// A connection of HTTP/2 is shared by many requests, so that one that hangs must not be left
// to their timeouts: when nothing has come for pingAfter, it is asked for a sign of life, and
// closed without one after pingWithin. Both are less than net/http's 15 s for the latter,
// and longer than a pause of garbage collection or a lost packet.
const (
	pingAfter  = 10 * time.Second
	pingWithin = 5 * time.Second
)

// RoundTrip implements http.RoundTripper, but for one thing: when it fails without having
// sent anything, the request's body is left open, so that the request may be sent elsewhere.
// Such an error is an unsent.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for tries := 1; ; tries++ {
		trip, ctx := newTrip(r.Context())
		answer, err := t.http.RoundTrip(r.WithContext(ctx))
		if err != nil {
			err = trip.fault(err)
		} else if err = trip.check(answer); err == nil {
			return answer, nil
		} else {
			answer.Body.Close()
		}
		if tries >= trip.tries(err) {
			return nil, err
		}
		if r, err = again(r); err != nil {
			return nil, err
		}
	}
}

// again is the request with its body from the beginning.
func again(r *http.Request) (*http.Request, error) {
	next := *r
	if r.Body == nil || r.Body == http.NoBody {
		return &next, nil
	}
	if r.GetBody == nil {
		return nil, errNotKept
	}
	var err error
	next.Body, err = r.GetBody()
	return &next, err
}

// CloseIdleConnections closes the connections that serve no request.
func (t *Transport) CloseIdleConnections() { t.http.CloseIdleConnections() }

// dialPlain opens a connection without TLS.
func (t *Transport) dialPlain(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := t.open(ctx, address)
	if err != nil || t.protocol == config.ProtocolH2 {
		return conn, err
	}
	return newLink(conn), nil
}

// dialSecure opens a connection with TLS. net/http sees which protocol was negotiated by
// what kind of connection it gets.
func (t *Transport) dialSecure(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := t.open(ctx, address)
	if err != nil {
		return nil, err
	}
	secured, err := t.secured(ctx, conn, address)
	if err != nil {
		conn.Close()
		return nil, unsent{err}
	}
	switch {
	case secured.ConnectionState().NegotiatedProtocol == "h2":
		return secured, nil
	case t.protocol == config.ProtocolH2:
		secured.Close()
		return nil, unsent{errNoH2}
	}
	return newLink(secured), nil
}

// errNoH2 is about an endpoint that was said to understand HTTP/2.
var errNoH2 = errors.New("proxy: the endpoint does not negotiate HTTP/2")

// secured is a connection after the TLS handshake.
func (t *Transport) secured(ctx context.Context, conn net.Conn, address string) (*tls.Conn, error) {
	c := t.secure
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		c = c.Clone()
		c.ServerName = host
	}
	if t.connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.connect)
		defer cancel()
	}
	secured := tls.Client(conn, c)
	return secured, secured.HandshakeContext(ctx)
}

// knock opens a connection, with TLS where that is asked for, to see whether it opens.
func (t *Transport) knock(ctx context.Context, encrypted bool, address string) (net.Conn, error) {
	conn, err := t.open(ctx, address)
	if err != nil || !encrypted {
		return conn, err
	}
	secured, err := t.secured(ctx, conn, address)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// open opens a connection to an address as net/http has it: of a socket, the path with a
// port behind it.
func (t *Transport) open(ctx context.Context, address string) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
		address, _, _ = strings.Cut(address, ":")
	}
	conn, err := t.Dial(ctx, network, address)
	if err != nil {
		return nil, unsent{err}
	}
	return conn, nil
}
