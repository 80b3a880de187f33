package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// Probe sends the probes that the pool's health checks ask for until ctx is done. One that
// has not come back within the timeout has failed. It returns when every probe has come
// back. The kinds grpc and tcp need a pool whose Transport is a *Transport.
func Probe(ctx context.Context, pool *Pool, h config.Health, now func() core.Instant) {
	p := probing{pool: pool, prober: pool.Router.Prober(), timeout: h.Timeout, now: now}
	p.ask = page{path: h.Path, host: h.Host, port: h.Port, agent: "evenkeel-health", good: h.Status}.ask
	switch h.Kind {
	case config.CheckGRPC:
		p.ask = call{service: h.Service, port: h.Port, timeout: h.Timeout}.ask
	case config.CheckTCP:
		p.ask = knock{port: h.Port}.ask
	}
	p.run(ctx, nil)
}

// ProbeLoad sends the probes that the pool's strategy asks for, likewise, to learn from the
// header of their answers how busy the endpoints are. The pool needs Reports for that.
func ProbeLoad(ctx context.Context, pool *Pool, s config.Strategy, now func() core.Instant) {
	p := probing{pool: pool, prober: pool.Router.LoadProber(), timeout: s.ProbeTimeout, now: now}
	p.ask = page{path: s.ProbePath, agent: "evenkeel-load"}.ask
	p.run(ctx, pool.ProbeDue)
}

// probing sends the probes of one prober.
type probing struct {
	pool    *Pool
	prober  core.Prober
	timeout time.Duration
	now     func() core.Instant
	// ask asks one endpoint. The context ends when its time is over.
	ask func(ctx context.Context, pool *Pool, at *url.URL) (load core.LoadReport, well bool)

	out sync.Map // the members whose probes have not come back
}

// maxProbes is how many probes are under way at once. Where a rack of endpoints hangs, each
// of theirs takes its whole timeout, and the others must not wait for that for long.
const maxProbes = 512

// run sends probes until ctx is done. due says that one has become due; nil where the
// prober's schedule does not depend on anybody else.
func (p *probing) run(ctx context.Context, due <-chan struct{}) {
	running := make(chan struct{}, maxProbes)
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
			if _, still := p.out.LoadOrStore(m, nil); still {
				continue // its last one has longer to go than the interval is
			}
			running <- struct{}{}
			go func() {
				defer func() { <-running }()
				p.probe(ctx, m)
			}()
		}
	}
}

// probe asks one member. It is back before the prober hears of it, who may want the same one
// again at once.
func (p *probing) probe(ctx context.Context, m *core.Member) {
	defer func() { // nobody else would catch a defect here
		if fault := recover(); fault != nil {
			p.pool.Defect("panic while probing", fault)
			p.out.Delete(m)
			p.prober.Probed(m, p.now(), core.LoadReport{}, false)
		}
	}()
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	load, well := p.ask(limited, p.pool, m.Target.(Upstream).URL)
	p.out.Delete(m)
	if ctx.Err() == nil {
		p.prober.Probed(m, p.now(), load, well)
	}
}

// page asks for a page.
type page struct {
	path, host, agent string
	port              int
	good              config.Statuses
}

func (q page) ask(ctx context.Context, pool *Pool, at *url.URL) (load core.LoadReport, well bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://h"+q.path, nil) // the path may have a query
	if err != nil {
		return load, false
	}
	r.URL.Scheme, r.URL.Host = at.Scheme, atPort(at, q.port)
	r.Host = hostOf(q.host, at)
	r.Header.Set("User-Agent", q.agent)
	answer, err := pool.Transport.RoundTrip(r)
	if err != nil {
		return load, false
	}
	defer answer.Body.Close()
	load = pool.report(answer.Header)
	io.CopyN(io.Discard, answer.Body, 4<<10)
	return load, q.good.Has(answer.StatusCode)
}

// hostOf is the Host header of a check: as the settings have it, or the endpoint's address.
func hostOf(host string, at *url.URL) string {
	switch {
	case host != "":
		return host
	case Upstream{at}.socket():
		return "localhost"
	}
	return at.Host
}

// atPort is the host of a URL, with another port unless that is 0.
func atPort(at *url.URL, port int) string {
	if port == 0 {
		return at.Host
	}
	return net.JoinHostPort(at.Hostname(), strconv.Itoa(port))
}

// knock sees whether a connection opens.
type knock struct{ port int }

func (k knock) ask(ctx context.Context, pool *Pool, at *url.URL) (load core.LoadReport, well bool) {
	t, ok := pool.Transport.(*Transport)
	if !ok {
		return load, false
	}
	conn, err := t.knock(ctx, at.Scheme == "https", addressOf(at, k.port))
	if err != nil {
		return load, false
	}
	conn.Close()
	return load, true
}

// addressOf is what net/http would dial for a URL.
func addressOf(at *url.URL, port int) string {
	host := atPort(at, port)
	switch {
	case port != 0 || at.Port() != "":
		return host
	case at.Scheme == "https":
		return net.JoinHostPort(at.Hostname(), "443")
	}
	return net.JoinHostPort(at.Hostname(), "80")
}
