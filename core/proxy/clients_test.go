package proxy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What a client may take is a leaky bucket: steps of how much it moves and how long that
// takes, at 100 bytes a second and a stall of 10 s.
func TestPace(t *testing.T) {
	clients := Clients{Stall: 10 * time.Second, BytesPerSecond: 100}
	for name, steps := range map[string][]struct {
		n        int
		took     time.Duration
		patience time.Duration // for one byte more
	}{
		"nothing moved":            {{0, 4 * time.Second, 6 * time.Second}, {0, 6 * time.Second, 0}, {0, time.Second, -time.Second}},
		"at the rate":              {{100, time.Second, 10 * time.Second}, {1000, 10 * time.Second, 10 * time.Second}},
		"faster earns no credit":   {{100000, time.Second, 10 * time.Second}},
		"slower than the rate":     {{100, 3 * time.Second, 8 * time.Second}, {100, 3 * time.Second, 6 * time.Second}},
		"a pause that is made up":  {{0, 9 * time.Second, time.Second}, {500, time.Second, 5 * time.Second}},
		"a byte now and then":      {{1, 5 * time.Second, 5010 * time.Millisecond}, {1, 5 * time.Second, 20 * time.Millisecond}},
		"quick in itself, no time": {{1, 0, 10 * time.Second}},
	} {
		p := clients.pace()
		for i, s := range steps {
			p.moved(s.n, s.took)
			if got := p.patience(1); got != s.patience+10*time.Millisecond {
				t.Errorf("%s, step %d: got patience of %v, want %v", name, i, got, s.patience+10*time.Millisecond)
			}
		}
	}
}

// Whatever a client does, it is cut only when it was slower than the rate by stall or
// more since some moment, and it is when it was.
func TestPaceIsALeakyBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clients := Clients{Stall: time.Duration(rapid.Int64Range(1, 1e10).Draw(t, "stall")), BytesPerSecond: rapid.IntRange(1, 1e6).Draw(t, "rate")}
		p := clients.pace()
		perByte := time.Second / time.Duration(clients.BytesPerSecond)
		worst := time.Duration(0) // how far behind the client is since the worst moment
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			n, took := rapid.IntRange(0, 1e5).Draw(t, "bytes"), time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "took"))
			p.moved(n, took)
			worst = max(0, worst+took-time.Duration(n)*perByte)
			if got, want := p.patience(0), clients.Stall-worst; got != want {
				t.Fatalf("patience: got %v, want %v", got, want)
			}
		}
	})
}

// The connection's deadline is never early, late by a quarter of stall at most, and set
// anew only when it has to be.
func TestPaceSetsFewDeadlines(t *testing.T) {
	clients := Clients{Stall: 8 * time.Second, BytesPerSecond: 1000}
	p := clients.pace()
	now, sets := time.Unix(1000, 0), 0
	var deadline time.Time
	set := func(d time.Time) error {
		deadline, sets = d, sets+1
		return nil
	}
	for range 1000 { // 10 s of steps that take no time by themselves
		p.begin(now, 1000, set)
		if due := now.Add(9 * time.Second); deadline.Before(due) || deadline.After(due.Add(2*time.Second)) {
			t.Fatalf("at %v: got a deadline of %v, want %v or up to 2 s later", now, deadline, due)
		}
		p.moved(1000, 0)
		now = now.Add(10 * time.Millisecond)
	}
	if sets != 5 {
		t.Errorf("deadlines set in 10 s: got %d, want one each 2 s", sets)
	}
	p.moved(0, 7*time.Second)
	if p.begin(now, 0, set); deadline.After(now.Add(3 * time.Second)) {
		t.Errorf("deadline of a client that has a second left: got %v from now", deadline.Sub(now))
	}
}

func TestNoPace(t *testing.T) {
	var clients Clients
	p := clients.pace()
	p.moved(0, time.Hour)
	p.begin(time.Now(), 0, func(time.Time) error { t.Error("got a deadline, want none"); return nil })
}
