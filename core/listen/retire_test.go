package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// Who is being greeted when the listener is retired comes in yet; nobody else does, and the
// last of them ends it.
func TestRetire(t *testing.T) {
	b := start(t, Options{ProxyFrom: []netip.Prefix{here}})
	first, second, third := b.dial(t), b.dial(t), b.dial(t)
	witness.Eventually(t, "they are being greeted", func() bool { return b.meter.state(Opening) == 3 })
	over := b.Retire()
	if c, err := net.Dial("tcp", b.Addr().String()); err == nil {
		c.Close()
		t.Error("a new connection: got one, want none")
	}
	fmt.Fprint(first, v1+"x")
	conn := b.next(t)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Errorf("who has come in: got %v, want what it has sent", err)
	}
	fmt.Fprint(second, "no header at all, and of some length")
	witness.Eventually(t, "the second is refused", func() bool { return b.meter.refusals()[ProxyHeader] == 1 })
	select {
	case <-over:
		t.Error("it is over, with one left")
	default:
	}
	fmt.Fprint(third, v1)
	b.next(t)
	witness.Await(t, "its end", over)
	witness.Await(t, "its end, told again", b.Retire())
	if _, err := b.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: got %v, want %v", err, net.ErrClosed)
	}
}

// Where nobody is being greeted, or nobody ever is, it is over at once; also where
// connections wait for a place.
func TestRetireAtOnce(t *testing.T) {
	for name, o := range map[string]Options{
		"greeting":          {ProxyFrom: []netip.Prefix{here}},
		"not greeting":      {},
		"without any place": {ProxyFrom: []netip.Prefix{here}, Slots: NewSlots(0)},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, o)
			if o.Slots != nil {
				witness.Eventually(t, "it waits for a place", func() bool { return b.full.Load() != 0 })
			}
			witness.Await(t, "its end", b.Retire())
		})
	}
}

// Close cuts off those that are left.
func TestRetireAndClose(t *testing.T) {
	b := start(t, Options{ProxyFrom: []netip.Prefix{here}})
	silent := b.dial(t)
	witness.Eventually(t, "it is being greeted", func() bool { return b.meter.state(Opening) == 1 })
	over := b.Retire()
	b.Close()
	witness.Await(t, "its end", over)
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("who is left: got something, want the end")
	}
}

// A connection is fresh until something is written to it, or until it is closed.
func TestFresh(t *testing.T) {
	b := start(t, Options{})
	want := func(what string, n int) {
		t.Helper()
		if got := b.Fresh(); got != n {
			t.Errorf("%s: got %d that are fresh, want %d", what, got, n)
		}
	}
	b.dial(t)
	b.dial(t)
	first, second := b.next(t), b.next(t)
	want("both have come in", 2)
	first.turn(Active)
	want("one is asked something", 2)
	for range 2 {
		fmt.Fprint(first, "x")
		want("one is answered", 1)
	}
	first.Close()
	want("and closed", 1)
	for range 2 {
		second.Close()
		want("the other is closed, too", 0)
	}
}
