// Package witness is what the tests of running things have in common: waiting for what has to
// happen, however busy the machine is, and reading a log while it is written. It is for tests
// alone; what ships does not import it.
//
//	witness.Await(t, "the end of the server", ended)
//	witness.Eventually(t, "nothing is pending", func() bool { return m.Pending() == 0 })
package witness

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bound is how long a test waits for what has to happen. It is reached by failures only, and
// is there so that a test which hangs says where.
const Bound = 2 * time.Minute

// Await waits for a channel to have something, or to be closed, and returns what it had. The
// test fails after Bound.
func Await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Bound):
		t.Fatalf("%s: got nothing within %v", what, Bound)
		panic("unreachable")
	}
}

// Eventually waits for a condition that announces itself nowhere: it looks every two
// milliseconds. The test fails after Bound.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	end := time.After(Bound)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: it did not come to that within %v", what, Bound)
		}
	}
}

// Dial connects to an address as net.Dial does. The connection is closed at the end of
// the test, and what is read from it and written to it fails after Bound.
func Dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(Bound)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Log keeps what is written to it. The zero value is empty. Safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
