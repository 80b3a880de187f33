package proxy

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// Probe sends the probes that the pool's health checks ask for, over HTTP, until ctx is
// done. A probe is well when it is answered with 200 to 399 within the timeout.
// It returns when every probe has come back.
func Probe(ctx context.Context, pool *Pool, h config.Health, now func() core.Instant) {
	p := probing{pool: pool, prober: pool.Router.Prober(), path: h.Path, agent: "evenkeel-health", now: now}
	p.run(ctx, h.Timeout, nil)
}

// ProbeLoad sends the probes that the pool's strategy asks for, likewise, to learn from the
// header of their answers how busy the endpoints are. The pool needs Reports for that.
func ProbeLoad(ctx context.Context, pool *Pool, s config.Strategy, now func() core.Instant) {
	p := probing{pool: pool, prober: pool.Router.LoadProber(), path: s.ProbePath, agent: "evenkeel-load", now: now}
	p.run(ctx, s.ProbeTimeout, pool.ProbeDue)
}

// probing sends the probes of one prober.
type probing struct {
	pool        *Pool
	prober      core.Prober
	path, agent string
	now         func() core.Instant
}

// run sends probes, each within a timeout, until ctx is done. due says that one has become
// due; nil where the prober's schedule does not depend on anybody else.
func (p *probing) run(ctx context.Context, timeout time.Duration, due <-chan struct{}) {
	client := &http.Client{
		Transport:     p.pool.Transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	running := make(chan struct{}, 64) // probes at once
	defer func() {
		for range cap(running) {
			running <- struct{}{}
		}
	}()
	// The schedule may change with the pool's members; so no sleep is long.
	const nap = time.Second
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-time.After(max(0, min(nap, p.prober.Wake().Sub(p.now())))):
		}
		for {
			m, ok := p.prober.Next(p.now(), Source{})
			if !ok {
				break
			}
			running <- struct{}{}
			go func() {
				defer func() { <-running }()
				load, well := p.probe(ctx, client, m)
				if ctx.Err() == nil {
					p.prober.Probed(m, p.now(), load, well)
				}
			}()
		}
	}
}

// probe asks one member.
func (p *probing) probe(ctx context.Context, client *http.Client, m *core.Member) (load core.LoadReport, well bool) {
	to := m.Target.(Upstream).URL
	url := to.Scheme + "://" + to.Host + p.path // the path may have a query
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return load, false
	}
	r.Header.Set("User-Agent", p.agent)
	answer, err := client.Do(r)
	if err != nil {
		return load, false
	}
	defer answer.Body.Close()
	load = p.pool.report(answer.Header)
	io.CopyN(io.Discard, answer.Body, 4<<10)
	return load, answer.StatusCode >= 200 && answer.StatusCode < 400
}
