package flood

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// frame is a frame of HTTP/2 with its payload.
func frame(kind, flags byte, payload ...byte) []byte {
	n := len(payload)
	return append([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, 1}, payload...)
}

const (
	priority, settings, push, ping, goAway, window, continuation = 2, 4, 5, 6, 7, 8, 9
)

func resetBy(c byte) []byte { return frame(typeReset, 0, 0, 0, 0, c) }

// clock is an instant that the test moves.
type clock struct{ at core.Instant }

func (c *clock) now() core.Instant { return c.at }

// watched begins a watch over a connection that speaks HTTP/2.
func watched(t testing.TB, resets, control int) (*Watch, *clock) {
	t.Helper()
	b, err := NewBudget(resets, control)
	if err != nil {
		t.Fatal(err)
	}
	w, c := new(Watch), &clock{core.Instant(time.Hour)}
	w.Start(b, true)
	if err := w.In(c.now, []byte(preface)); err != nil {
		t.Fatal(err)
	}
	return w, c
}

// What each kind of frame is taken for: fed until it is too much, ten and one of what is
// budgeted, and no end of what is not.
func TestWhatIsCounted(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"HEADERS", frame(typeHeaders, 5, 1, 2, 3), nil},
		{"RST_STREAM", resetBy(8), ErrResets},
		{"DATA", frame(typeData, 0, 'x'), nil},
		{"DATA that ends", frame(typeData, flagEndStream), nil},
		{"empty DATA", frame(typeData, 0), ErrControl},
		{"DATA with padding", frame(typeData, flagPadded, 1, 'x', 0), nil},
		{"DATA of padding", frame(typeData, flagPadded, 2, 0, 0), ErrControl},
		{"DATA of no padding", frame(typeData, flagPadded, 0), ErrControl},
		{"DATA of padding that ends", frame(typeData, flagPadded|flagEndStream, 2, 0, 0), nil},
		{"DATA whose padding is missing", frame(typeData, flagPadded), ErrControl},
		{"PRIORITY", frame(priority, 0, 0, 0, 0, 0, 0), ErrControl},
		{"SETTINGS", frame(settings, 0), ErrControl},
		{"PUSH_PROMISE", frame(push, 0, 0, 0, 0, 0), ErrControl},
		{"PING", frame(ping, 0, make([]byte, 8)...), ErrControl},
		{"GOAWAY", frame(goAway, 0, make([]byte, 8)...), ErrControl},
		{"WINDOW_UPDATE", frame(window, 0, 0, 0, 0, 1), ErrControl},
		{"CONTINUATION", frame(continuation, 0, 1), ErrControl},
		{"unknown", frame(0xee, 0, 1), ErrControl},
	} {
		w, clock := watched(t, 1, 1)
		for i := range 3 * depth {
			err := w.In(clock.now, c.frame)
			if want := i >= depth && c.want != nil; (err != nil) != want {
				t.Fatalf("%s, number %d: got %v, want an error: %v", c.name, i, err, want)
			}
			if err != nil && !errors.Is(err, c.want) {
				t.Fatalf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
	}
}

// The buckets fill as time goes on, each on its own.
func TestBudgetsFill(t *testing.T) {
	w, clock := watched(t, 2, 5)
	pings, resets := frame(ping, 0, make([]byte, 8)...), resetBy(8)
	take := func(f []byte) (n int) {
		for n < 1000 && w.In(clock.now, f) == nil {
			n++
		}
		return n
	}
	for i, step := range []struct {
		after           time.Duration
		resets, control int
	}{
		{0, 20, 50},
		{499 * time.Millisecond, 0, 2},
		{time.Millisecond, 1, 0}, // the 100 ms since the last control frame are not over
		{time.Second, 2, 5},
		{time.Hour, 20, 50},
	} {
		clock.at = clock.at.Add(step.after)
		if r, c := take(resets), take(pings); r != step.resets || c != step.control {
			t.Errorf("step %d: got %d resets and %d control frames, want %d and %d", i, r, c, step.resets, step.control)
		}
	}
}

// Each frame of an answer allows for four more control frames, up to a bound. Nothing else
// of the server's does.
func TestAnswersAllowForMore(t *testing.T) {
	w, clock := watched(t, 1, 1)
	f := frame(window, 0, 0, 0, 0, 1)
	take := func() (n int) {
		for w.In(clock.now, f) == nil {
			n++
		}
		return n
	}
	for i, step := range []struct {
		sent []byte
		want int
	}{
		{nil, 10},
		{nil, 0},
		{frame(typeData, 0, 'x'), 4},
		{frame(typeHeaders, 4, 1), 4},
		{frame(ping, 1, make([]byte, 8)...), 0},
		{frame(settings, 1), 0},
		{frame(window, 0, 0, 0, 0, 1), 0},
		{resetBy(0), 0},
		{slices.Repeat(frame(typeData, 0, 'x'), 2), 8},
		{slices.Repeat(frame(typeData, 0, 'x'), 100), 400},
		{slices.Repeat(frame(typeData, 0, 'x'), MostEarned), MostEarned},
	} {
		if err := w.Out(clock.now, step.sent); err != nil {
			t.Fatal(err)
		}
		if got := take(); got != step.want {
			t.Errorf("step %d: got %d control frames, want %d", i, got, step.want)
		}
	}
}

// What makes the server reset streams counts as if the client had.
func TestTheServersResets(t *testing.T) {
	for c, counts := range map[byte]bool{
		0: false, codeProtocol: true, 2: false, codeFlowControl: true, 4: false, 5: false, codeFrameSize: true,
		codeRefused: true, 8: false, codeCompression: true, 10: false, 11: false,
	} {
		w, clock := watched(t, 1, 1)
		for i := range 2 * depth {
			if err := w.Out(clock.now, resetBy(c)); (err != nil) != (counts && i >= depth) || err != nil && !errors.Is(err, ErrResets) {
				t.Fatalf("code %d, number %d: got %v, want an error after ten: %v", c, i, err, counts)
			}
		}
		if err := w.In(clock.now, resetBy(8)); (err != nil) != counts {
			t.Errorf("code %d, and then one of the client's: got %v, want an error: %v", c, err, counts)
		}
	}
}

// A connection that is not HTTP/2's is let alone, unless HTTP/2 was agreed on.
func TestOtherProtocols(t *testing.T) {
	b, err := NewBudget(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := func() core.Instant { t.Error("the clock was read"); return 0 }
	for _, c := range []struct {
		name  string
		parts []string
	}{
		{"HTTP/1.1", []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}},
		{"nearly", []string{preface[:20], "x", preface[21:] + string(slices.Repeat(resetBy(8), 30))}},
		{"late", []string{"\r\n", preface, string(slices.Repeat(resetBy(8), 30))}},
	} {
		for _, require := range []bool{false, true} {
			var w Watch
			w.Start(b, require)
			var err error
			for _, part := range c.parts {
				if err = w.In(now, []byte(part)); err != nil {
					break
				}
				if err := w.Out(now, resetBy(codeProtocol)); err != nil {
					t.Fatal(err)
				}
			}
			if (err != nil) != require || err != nil && !errors.Is(err, ErrPreface) {
				t.Errorf("%s, HTTP/2 required: %v: got %v", c.name, require, err)
			}
		}
	}
}

func TestNewBudget(t *testing.T) {
	for _, c := range []struct {
		resets, control int
		ok              bool
	}{{1, 1, true}, {1e6, 1e6, true}, {0, 1, false}, {1, 0, false}, {1e6 + 1, 1, false}, {1, 1e6 + 1, false}} {
		if _, err := NewBudget(c.resets, c.control); (err == nil) != c.ok {
			t.Errorf("%d and %d: got %v, want ok %v", c.resets, c.control, err, c.ok)
		}
	}
}

// However the bytes are cut up, the same frames are found in them.
func TestCutsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent []byte
		var want []head
		for range rapid.IntRange(1, 20).Draw(t, "frames") {
			kind := rapid.SampledFrom([]byte{typeData, typeHeaders, typeReset, ping, 0xee}).Draw(t, "kind")
			flags := rapid.SampledFrom([]byte{0, flagEndStream, flagPadded}).Draw(t, "flags")
			payload := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "payload")
			h := head{kind: kind, flags: flags, length: uint32(len(payload))}
			if kind == typeReset {
				copy(h.extra[:], payload)
			} else if kind == typeData && flags == flagPadded && len(payload) > 0 {
				h.extra[0] = payload[0]
			}
			sent, want = append(sent, frame(kind, flags, payload...)...), append(want, h)
		}
		var r reader
		var got []head
		for len(sent) > 0 {
			n := rapid.IntRange(1, len(sent)).Draw(t, "cut")
			part := sent[:n]
			for {
				h, rest, ok := r.next(part)
				if !ok {
					break
				}
				got, part = append(got, h), rest
			}
			sent = sent[n:]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestWatchDoesNotAllocate(t *testing.T) {
	w, clock := watched(t, 1e6, 1e6)
	in := slices.Concat(frame(typeHeaders, 5, 1, 2), frame(ping, 0, make([]byte, 8)...), resetBy(8))
	out := slices.Concat(frame(typeHeaders, 4, 1, 2), frame(typeData, 1, make([]byte, 100)...), resetBy(1))
	now := clock.now
	if n := testing.AllocsPerRun(100, func() {
		if err := w.In(now, in); err != nil {
			t.Fatal(err)
		}
		if err := w.Out(now, out); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkWatch(b *testing.B) {
	w, clock := watched(b, 1e6, 1e6)
	in, out := frame(typeHeaders, 5, make([]byte, 40)...), slices.Concat(frame(typeHeaders, 4, make([]byte, 60)...), frame(typeData, 1, make([]byte, 100)...))
	now := clock.now
	b.ReportAllocs()
	for b.Loop() {
		if err := w.In(now, in); err != nil {
			b.Fatal(err)
		}
		if err := w.Out(now, out); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever bytes come, the watch neither fails nor loses its way: with the whole at once
// it says the same as byte by byte.
func FuzzWatch(f *testing.F) {
	f.Add(slices.Concat([]byte(preface), frame(settings, 0), resetBy(1)))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte(preface[:10]))
	f.Fuzz(func(t *testing.T, b []byte) {
		budget, err := NewBudget(1, 1)
		if err != nil {
			t.Fatal(err)
		}
		clock := &clock{1}
		var whole, single Watch
		whole.Start(budget, true)
		single.Start(budget, true)
		want := whole.In(clock.now, b)
		var got error
		for i := range b {
			if got = single.In(clock.now, b[i:i+1]); got != nil {
				break
			}
		}
		if (got != nil) != (want != nil) {
			t.Fatalf("byte by byte: got %v, want %v", got, want)
		}
		whole.Out(clock.now, b)
	})
}
