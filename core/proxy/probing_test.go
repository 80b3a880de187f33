package proxy

import (
	"context"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// eager is a prober that asks for one member again and again, so many times.
type eager struct {
	member *core.Member
	left   int
	none   chan struct{}        // closed when it has asked for the last time
	told   chan core.LoadReport // of the probes that went well
}

func (*eager) Watch(core.Instant, []*core.Member) {}

func (e *eager) Next(core.Instant, rand.Source) (*core.Member, bool) {
	if e.left == 0 {
		close(e.none)
	}
	e.left--
	return e.member, e.left >= 0
}

func (e *eager) Wake() core.Instant {
	if e.left < 0 {
		return core.Never
	}
	return 0
}

func (e *eager) Probed(_ *core.Member, _ core.Instant, load core.LoadReport, well bool) {
	if well {
		e.told <- load
	}
}

// A member that takes longer than the interval is, is not asked twice at once.
func TestOneProbeOfAMemberAtATime(t *testing.T) {
	const times = 5
	e := &eager{
		member: &core.Member{Target: Upstream{&url.URL{Host: "a"}}}, left: times,
		none: make(chan struct{}), told: make(chan core.LoadReport, times),
	}
	said := core.LoadReport{Known: true, Utilization: 0.5}
	var asked atomic.Int64
	p := probing{pool: &Pool{}, prober: e, timeout: time.Minute, now: func() core.Instant { return 0 }}
	p.ask = func(ctx context.Context, _ *Pool, at *url.URL) (core.LoadReport, bool) {
		if _, bounded := ctx.Deadline(); !bounded || at.Host != "a" {
			t.Errorf("asked: got %v, with a deadline %v", at, bounded)
		}
		asked.Add(1)
		<-e.none
		return said, true
	}
	ctx, end := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.run(ctx, nil)
	}()
	if got := <-e.told; got != said {
		t.Errorf("told: got %+v, want %+v", got, said)
	}
	end()
	<-over
	if asked.Load() != 1 || len(e.told) != 0 {
		t.Errorf("asked %d times, told %d more; want once", asked.Load(), len(e.told))
	}
}

// heard is an eager prober that says what it hears.
type heard struct {
	eager
	probed func(*core.Member)
}

func (h *heard) Probed(m *core.Member, now core.Instant, load core.LoadReport, well bool) {
	h.probed(m)
	h.eager.Probed(m, now, load, well)
}

// A prober that hears of a probe may ask for the same member at once: it is back by then,
// or the prober would wait for ever for a probe that was never sent.
func TestProbesAreBackBeforeTheyAreToldOf(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *Pool, *url.URL) (core.LoadReport, bool){
		"well":   func(context.Context, *Pool, *url.URL) (load core.LoadReport, well bool) { return load, true },
		"failed": func(context.Context, *Pool, *url.URL) (load core.LoadReport, well bool) { return load, false },
		"defect": func(context.Context, *Pool, *url.URL) (core.LoadReport, bool) { panic("of the test") },
	} {
		t.Run(name, func(t *testing.T) {
			h := &heard{eager: eager{
				member: &core.Member{Target: Upstream{&url.URL{Host: "a"}}}, left: 1,
				none: make(chan struct{}), told: make(chan core.LoadReport, 1),
			}}
			p := probing{pool: &Pool{Defect: func(string, any) {}}, prober: h, timeout: time.Minute, now: func() core.Instant { return 0 }, ask: ask}
			ctx, end := context.WithCancel(t.Context())
			over := make(chan bool)
			h.probed = func(m *core.Member) {
				_, out := p.out.Load(m)
				over <- out
			}
			go p.run(ctx, nil)
			if <-over {
				t.Error("told of while it is under way")
			}
			end()
		})
	}
}

// sleeper is a prober that has nothing to say until it is woken.
type sleeper struct {
	eager
	awake atomic.Bool
}

func (s *sleeper) Next(now core.Instant, src rand.Source) (*core.Member, bool) {
	if !s.awake.Load() {
		return nil, false
	}
	return s.eager.Next(now, src)
}

func (*sleeper) Wake() core.Instant { return core.Never }

// A probe that has become due is not kept waiting for the end of a nap.
func TestDueProbesAreSentAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sleeper{eager: eager{member: &core.Member{Target: Upstream{&url.URL{Host: "a"}}}, left: 1, none: make(chan struct{}), told: make(chan core.LoadReport, 1)}}
		p := probing{pool: &Pool{}, prober: s, timeout: time.Minute, now: func() core.Instant { return 0 }}
		p.ask = func(context.Context, *Pool, *url.URL) (load core.LoadReport, well bool) { return load, true }
		ctx, end := context.WithCancel(t.Context())
		due := make(chan struct{}, 1)
		go p.run(ctx, due)
		synctest.Wait() // it naps
		began := time.Now()
		s.awake.Store(true)
		due <- struct{}{}
		<-s.told
		if got := time.Since(began); got != 0 {
			t.Errorf("asked %v later, want at once", got)
		}
		end()
	})
}
