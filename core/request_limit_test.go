package core_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
)

// bouncer is a core.Shedder that turns away whom it is told to, and writes down what it
// hears.
type bouncer struct {
	away  bool
	begun int
	ended []core.Outcome
	asked []uint8
}

func (b *bouncer) Admit(_ core.Instant, priority uint8, _ rand.Source) bool {
	b.asked = append(b.asked, priority)
	return !b.away
}
func (b *bouncer) Begun(core.Instant, uint8)                     { b.begun++ }
func (b *bouncer) Ended(_ core.Instant, _ uint8, o core.Outcome) { b.ended = append(b.ended, o) }
func (b *bouncer) State(core.Instant) core.ShedderState          { return core.ShedderState{} }

// What the pool's limiter and its shedder hear of a request, however it ends: the
// limiter each outcome once, timed from the admission; the shedder one end for each
// beginning.
func TestWhatLimiterAndShedderLearn(t *testing.T) {
	second := func(o core.Outcome, answered, total time.Duration) core.Sample {
		return core.Sample{Outcome: o, FirstAnswer: answered, Total: total}
	}
	for name, c := range map[string]struct {
		keys    string
		away    bool
		steps   []step
		learned []core.Sample
		begun   int
		ended   []core.Outcome
	}{
		"answered": {"a", false, []step{
			{sec, "start", "try a until 31s"}, {2 * sec, "200", "deliver from a until 31s"}, {5 * sec, "finish", "done"},
		}, []core.Sample{second(core.Success, time.Second, time.Second)}, 1, []core.Outcome{core.Success}},
		"refused by the endpoint": {"a", false, []step{
			{0, "start", "try a until 30s"}, {sec, "429", "deliver from a until 30s"}, {sec, "abandon", "done"},
		}, []core.Sample{second(core.Throttled, time.Second, time.Second)}, 1, []core.Outcome{core.Throttled}},
		"delivered for want of another": {"a", false, []step{
			{0, "start", "try a until 30s"}, {sec, "503", "deliver from a until 30s, retry no-endpoint"}, {2 * sec, "abandon", "done"},
		}, []core.Sample{second(core.ServerError, time.Second, time.Second)}, 1, []core.Outcome{core.ServerError}},
		"timed out": {"a", false, []step{
			{0, "start", "try a until 30s"}, {3 * sec, "timeout", "give up: timeout"},
		}, []core.Sample{second(core.Timeout, -1, 3*time.Second)}, 1, []core.Outcome{core.Timeout}},
		"a retry is part of the request": {"a b", false, []step{
			{0, "start", "try a until 30s"}, {sec, "reset", "try b until 30s, retry sent"},
			{3 * sec, "404", "deliver from b until 30s"}, {4 * sec, "abandon", "done"},
		}, []core.Sample{second(core.ClientError, 3*time.Second, 3*time.Second)}, 1, []core.Outcome{core.ClientError}},
		"given up after a retry": {"a b", false, []step{
			{0, "start", "try a until 30s"}, {sec, "503", "try b until 30s, retry sent"},
			{3 * sec, "reset", "give up: reset"},
		}, []core.Sample{second(core.Reset, -1, 3*time.Second)}, 1, []core.Outcome{core.Reset}},
		"abandoned": {"a", false, []step{
			{0, "start", "try a until 30s"}, {sec, "abandon", "done"}, {sec, "abandon", "done"},
		}, nil, 1, []core.Outcome{core.Abandoned}},
		"no endpoint": {"", false, []step{{0, "start", "give up: no-endpoint"}}, nil, 0, nil},
		"turned away": {"a", true, []step{{0, "start", "give up: shed"}}, nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, limiter := admission(1, 2, time.Second)
			b := &bouncer{away: c.away}
			p := newPool(t, core.Config{
				Admission: a, Shedder: b, Policy: core.Policy{Attempts: 2, Total: 30 * time.Second},
			}, strings.Fields(c.keys)...)
			q := new(core.Request)
			q.Ask.Priority = 2
			run(t, q, p.Router, c.steps)
			if diff := cmp.Diff(c.learned, limiter.learned); diff != "" {
				t.Errorf("the limiter learned (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.ended, b.ended); diff != "" || b.begun != c.begun {
				t.Errorf("the shedder heard of %d beginnings, want %d; ends (-want +got):\n%s", b.begun, c.begun, diff)
			}
			if len(b.asked) != 1 || b.asked[0] != 2 {
				t.Errorf("the shedder was asked for the priorities %v, want 2 once", b.asked)
			}
			p.empty(t)
		})
	}
}

// An answer that the client leaves in the middle taught at its head what there was to
// learn.
func TestLimiterLearnsNothingOfALeftAnswer(t *testing.T) {
	a, limiter := admission(1, 0, time.Second)
	p := newPool(t, core.Config{Admission: a}, "a")
	q := new(core.Request)
	q.Start(0, p.Router, true)
	q.Answered(sec, 0, outcome(core.Success), false)
	q.Finished(3*sec, 0, outcome(core.Abandoned))
	want := []core.Sample{{Outcome: core.Success, FirstAnswer: time.Second, Total: time.Second}}
	if diff := cmp.Diff(want, limiter.learned); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// told is a limiter that is told classes.
type told struct {
	*movable
	classes []uint8
}

func (c *told) LearnOf(class uint8, now core.Instant, s core.Sample, inFlight int) {
	c.classes = append(c.classes, class)
	c.Learn(now, s, inFlight)
}

// A limiter that tells classes apart hears of what class a request was.
func TestLimiterLearnsTheClass(t *testing.T) {
	limiter := &told{movable: limitOf(9)}
	p := newPool(t, core.Config{Admission: core.NewAdmission(core.AdmissionSettings{Limiter: limiter})}, "a")
	for _, class := range []uint8{3, 0, 255} {
		q := &core.Request{Ask: core.Ask{Class: class}}
		q.Start(0, p.Router, true)
		q.Answered(sec, 0, outcome(core.Success), false)
		q.Finished(2*sec, 0, outcome(core.Success))
	}
	if diff := cmp.Diff([]uint8{3, 0, 255}, limiter.classes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(limiter.learned); n != 3 {
		t.Errorf("learned of %d, want 3", n)
	}
}

// An answer that breaks off after its head teaches its end, too.
func TestLimiterLearnsOfABrokenAnswer(t *testing.T) {
	a, limiter := admission(1, 0, time.Second)
	p := newPool(t, core.Config{Admission: a}, "a")
	q := new(core.Request)
	q.Start(0, p.Router, true)
	q.Answered(sec, 0, outcome(core.Success), false)
	q.Finished(3*sec, 0, outcome(core.Timeout))
	want := []core.Sample{
		{Outcome: core.Success, FirstAnswer: time.Second, Total: time.Second},
		{Outcome: core.Timeout, FirstAnswer: -1, Total: 3 * time.Second},
	}
	if diff := cmp.Diff(want, limiter.learned); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The limiter hears how many were in flight when a request was admitted, itself
// included: also for one that had to wait. The wait is not the service's time.
func TestLimiterLearnsInFlight(t *testing.T) {
	a, limiter := admission(2, 2, time.Minute)
	p := newPool(t, core.Config{Admission: a}, "a")
	requests := []*core.Request{waiter("A"), waiter("B"), waiter("C"), waiter("D")}
	for _, q := range requests {
		q.Start(0, p.Router, true)
	}
	limiter.limit.Store(3)
	wake := requests[0].Finished(5*sec, 0, outcome(core.Success))
	if wake != &requests[2].Ticket {
		t.Fatalf("woken: got %v, want C", wake)
	}
	if action := requests[2].Woken(5 * sec); action.Wake != &requests[3].Ticket {
		t.Fatalf("woken by C: got %v, want D: the limit has grown by one", action.Wake)
	}
	requests[3].Woken(5 * sec)
	for _, q := range requests[1:] {
		q.Finished(6*sec, 0, outcome(core.Success))
	}
	if diff := cmp.Diff([]int{1, 2, 2, 3}, limiter.inFlight); diff != "" {
		t.Errorf("in flight at the start (-want +got):\n%s", diff)
	}
	if got := limiter.learned[2].Total; got != time.Second {
		t.Errorf("time of one that had waited: got %v, want 1s", got)
	}
}

// A request that waits in vain because of overload is shed; one whose own time is over
// is not.
func TestWaitingInVain(t *testing.T) {
	for _, c := range []struct {
		patience time.Duration
		total    time.Duration
		want     string
	}{
		{time.Millisecond, time.Second, "give up: shed"},
		{time.Second, time.Millisecond, "give up: queue-timeout"},
		{time.Hour, 0, "give up: queue-timeout"}, // MaxWait is less
	} {
		p := newPool(t, core.Config{
			Admission: core.NewAdmission(core.AdmissionSettings{
				Limiter: limitOf(1), Room: 1, MaxWait: time.Minute, Patience: &impatient{wait: c.patience},
			}),
			Policy: core.Policy{Total: c.total},
		}, "a")
		first, second := waiter("A"), waiter("B")
		first.Start(0, p.Router, true)
		wait := second.Start(0, p.Router, true)
		if got := describe(second, second.Expired(wait.Until)); got != c.want {
			t.Errorf("patience %v, total %v: got %q, want %q", c.patience, c.total, got, c.want)
		}
		first.Abandon(0)
		p.empty(t)
	}
}
