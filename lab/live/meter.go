package live

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// meter counts the requests in flight on their way through an http.RoundTripper, from
// the send to the end of the answer's body, and integrates their number over time. It
// knows nothing of the records that are made of the same requests, so the two can be
// held against each other (Little's law). Safe for concurrent use.
type meter struct {
	next http.RoundTripper

	mu   sync.Mutex
	now  int
	peak int
	last time.Time     // of the last change
	area time.Duration // requests in flight × time
}

// change counts one request more or less in flight.
func (m *meter) change(by int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := time.Now()
	if m.now > 0 {
		m.area += time.Duration(m.now) * at.Sub(m.last)
	}
	m.last = at
	m.now += by
	m.peak = max(m.peak, m.now)
}

// read returns the peak and the integral so far.
func (m *meter) read() (peak int, area time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak, m.area
}

// RoundTrip implements http.RoundTripper.
func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	m.change(1)
	answer, err := m.next.RoundTrip(r)
	if err != nil {
		m.change(-1)
		return nil, err
	}
	answer.Body = &metered{answer.Body, sync.OnceFunc(func() { m.change(-1) })}
	return answer, nil
}

// metered is a body that tells its end, or its closing.
type metered struct {
	io.ReadCloser
	end func()
}

func (b *metered) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *metered) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
