package proxy

import (
	"net"
	"net/http"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
)

// NewTransport returns the transport of a pool: one for all its endpoints, kept for
// the pool's life, so that connections are used again.
//
// The pool of idle connections is sized by what is in flight: it has no cap of its
// own below the concurrency (a cap would close and open connections at every peak,
// which doubles the cost of a request), and what a peak leaves over is closed after
// idleFor.
func NewTransport(t config.Timeouts) *http.Transport {
	dialer := &net.Dialer{Timeout: t.Connect}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   t.Connect,
		DisableCompression:    true, // the client's Accept-Encoding is the client's
		MaxIdleConnsPerHost:   1 << 20,
		IdleConnTimeout:       idleFor,
		ExpectContinueTimeout: time.Second,
		// The head of an answer may be as large as that of a request may become.
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// idleFor is shorter than the keep-alive times that are common among servers (nginx
// 75 s, Apache 5 s, Node 5 s, Go none): a connection that the endpoint closes first
// costs a silent redial for safe requests and a failure for others.
const idleFor = 60 * time.Second
