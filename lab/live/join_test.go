package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/record"
)

// served is what a server says of a request that was inside from and to so many
// milliseconds.
func served(seq int64, server, code int, from, to float64) backend.Entry {
	return backend.Entry{Seq: seq, Server: server, Code: code, Arrived: at(from), Done: at(to)}
}

func TestJoin(t *testing.T) {
	answered := func(seq int64, server, code int, from, to float64) record.Request {
		r := sent(seq, from, from, to)
		r.Endpoint, r.Code = server, code
		return r
	}
	for _, c := range []struct {
		name     string
		requests []record.Request
		entries  []backend.Entry
		attempts []int
		p50, p99 float64 // milliseconds beyond
		wrong    string
	}{
		{"nobody", nil, nil, nil, 0, 0, ""},
		{"each its own", []record.Request{answered(0, 1, 200, 0, 10), answered(1, 0, 200, 5, 9)},
			[]backend.Entry{served(1, 0, 200, 6, 8), served(0, 1, 200, 1, 9.5)}, []int{1, 1}, 1.5, 2, ""},
		{"one that was tried twice", []record.Request{answered(0, 1, 200, 0, 10)},
			[]backend.Entry{served(0, 1, 200, 4, 9), served(0, 0, 503, 1, 2)}, []int{2}, 0, 0, ""},
		{"one that failed", []record.Request{answered(0, 1, 503, 0, 10)}, []backend.Entry{served(0, 1, 503, 1, 2)}, []int{1}, 0, 0, ""},
		{"one that reached nobody", []record.Request{answered(0, -1, 502, 0, 10), answered(1, 0, 200, 0, 3)},
			[]backend.Entry{served(1, 0, 200, 1, 2)}, []int{0, 1}, 2, 2, ""},
		{"one that the client gave up", []record.Request{answered(0, -1, 0, 0, 10)}, []backend.Entry{served(0, 2, 200, 1, 12)}, []int{1}, 0, 0, ""},
		{"an answer that nobody gave", []record.Request{answered(0, 1, 200, 0, 10)}, nil, []int{0}, 0, 0,
			"request 0 was answered 200 by server 1, which does not know of it"},
		{"another's answer", []record.Request{answered(0, 1, 200, 0, 10)}, []backend.Entry{served(0, 2, 200, 1, 2)}, []int{1}, 0, 0,
			"request 0 was answered 200 by server 1, which does not know of it"},
		{"another answer", []record.Request{answered(0, 1, 200, 0, 10)}, []backend.Entry{served(0, 1, 503, 1, 2)}, []int{1}, 0, 0,
			"request 0 was answered 200 by server 1, which does not know of it"},
		{"nobody's request, between", []record.Request{answered(0, 1, 200, 0, 10), answered(2, 1, 200, 0, 10)},
			[]backend.Entry{served(0, 1, 200, 1, 9), served(1, 4, 200, 1, 9), served(2, 1, 200, 1, 9)}, []int{1, 1}, 2, 2,
			"server 4 was sent request 1, which nobody planned"},
		{"nobody's request, at the end", []record.Request{answered(0, 1, 200, 0, 10)},
			[]backend.Entry{served(0, 1, 200, 1, 9), served(7, 3, 200, 1, 9)}, []int{1}, 2, 2,
			"server 3 was sent request 7, which nobody planned"},
	} {
		j := join(c.requests, c.entries)
		var attempts []int
		for _, r := range c.requests {
			attempts = append(attempts, r.Attempts)
		}
		if diff := cmp.Diff(c.attempts, attempts); diff != "" {
			t.Errorf("%s: attempts (-want +got):\n%s", c.name, diff)
		}
		if milliseconds(j.p50) != c.p50 || milliseconds(j.p99) != c.p99 || j.wrong != c.wrong {
			t.Errorf("%s: got %v and %v beyond, %q, want %v and %v ms, %q", c.name, j.p50, j.p99, j.wrong, c.p50, c.p99, c.wrong)
		}
	}
}

func TestTicks(t *testing.T) {
	for text, want := range map[string][2]uint64{
		"cpu  10 1 20 300 40 5 6 7 0 0\ncpu0 1 2 3\n": {389, 340},
		"cpu  10 1 20 300 40 5 6 7":                   {389, 340},
		"":                                            {},
		"cpu  10 1 20 300 40 5 6\n":                   {},
		"cpu0 10 1 20 300 40 5 6 7\n":                 {},
		"cpu  10 x 20 300 40 5 6 7 0 0\n":             {},
	} {
		if total, idle := ticks(text); total != want[0] || idle != want[1] {
			t.Errorf("%q: got %d and %d, want %v", text, total, idle, want)
		}
	}
}

func TestSpent(t *testing.T) {
	var before, after usage
	before.total, before.idle = 1000, 600
	after.total, after.idle = 2000, 850
	before.gc.PauseTotalNs, after.gc.PauseTotalNs = 5, 30
	before.gc.NumGC, after.gc.NumGC = 255, 258 // pauses 255, 256 and 257: the ring begins anew
	after.gc.PauseNs[254], after.gc.PauseNs[255], after.gc.PauseNs[0], after.gc.PauseNs[1], after.gc.PauseNs[2] = 99, 15, 4, 6, 98
	if got, want := after.since(before), (spent{25, 15, 0.75}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (usage{}).since(usage{}); got != (spent{}) {
		t.Errorf("nothing known: got %+v", got)
	}
	if u := measure(); u.total == 0 || u.idle > u.total {
		t.Errorf("this machine: got %d of %d idle", u.idle, u.total)
	}
}
