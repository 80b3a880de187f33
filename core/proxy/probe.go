package proxy

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
)

// Probe sends the probes that the pool's prober asks for, over HTTP, until ctx is
// done. A probe is well when it is answered with 200 to 399 within the timeout.
// It returns when every probe has come back.
func Probe(ctx context.Context, pool *Pool, h config.Health, now func() core.Instant) {
	prober := pool.Router.Prober()
	client := &http.Client{
		Transport:     pool.Transport,
		Timeout:       h.Timeout,
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
		case <-time.After(max(0, min(nap, prober.Wake().Sub(now())))):
		}
		for {
			m, ok := prober.Next(now(), Source{})
			if !ok {
				break
			}
			running <- struct{}{}
			go func() {
				defer func() { <-running }()
				to := m.Target.(Upstream).URL
				well := probe(ctx, client, to.Scheme+"://"+to.Host+h.Path) // the path may have a query
				if ctx.Err() == nil {
					prober.Probed(m, now(), core.LoadReport{}, well)
				}
			}()
		}
	}
}

func probe(ctx context.Context, client *http.Client, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	r.Header.Set("User-Agent", "evenkeel-health")
	answer, err := client.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	io.CopyN(io.Discard, answer.Body, 4<<10)
	return answer.StatusCode >= 200 && answer.StatusCode < 400
}
