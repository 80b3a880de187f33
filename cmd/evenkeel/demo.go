package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/evenkeel/evenkeel/adaptive"
	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// demoScenario is what stands behind the demo's proxy: five servers of which the last
// is ten times slower than the rest.
func demoScenario() *scenario.Scenario {
	s := scenario.Default()
	s.Name = "demo"
	s.Servers = scenario.Servers{
		Count: 5, Slots: 8, Queue: 100,
		Service: scenario.Service{Law: "exponential", Mean: 20 * time.Millisecond},
	}
	s.Faults = []scenario.Fault{{Kind: scenario.Slow, Servers: []int{4}, Factor: 10}}
	return &s
}

// demo runs the proxy with simulated backends of its own and a gentle load.
func demo(c *cli.Call) error {
	var listen, strategy, admin string
	var load float64
	if err := c.ParseFlags(func(fs *flag.FlagSet) {
		fs.Float64Var(&load, "load", 50, "`requests` a second that the demo sends itself; 0 for none")
		fs.StringVar(&listen, "listen", "127.0.0.1:8080", "`address` to listen on")
		fs.StringVar(&strategy, "strategy", config.DefaultStrategy, "`name` of the strategy")
		fs.StringVar(&admin, "admin", "127.0.0.1:9901", "`address` of the admin listener")
	}); err != nil {
		return err
	}
	if !(load >= 0 && load <= 10_000) {
		return c.Usagef("--load %v: expected 0 to 10000 requests a second", load)
	}
	if admin == "off" {
		return c.Usagef("--admin off: the demo shows what the admin listener says")
	}
	s := demoScenario()
	var urls []string
	for i := range s.Servers.Count {
		b, err := backend.Start(s, i)
		if err != nil {
			return err
		}
		defer b.Close()
		b.Begin(time.Now(), scenario.NewChance(s.Seed))
		urls = append(urls, b.URL())
	}
	file, err := config.FromEndpoints(listen, urls, strategy, admin)
	if err != nil {
		return err
	}
	file.Admin.Decisions.Sample, file.Admin.Decisions.Header = 1, config.HeaderLoopback // the load is gentle, and at home
	log, _ := logger("warn", c.Stderr)
	server, err := serve.New(file, serve.Options{Assemble: adaptive.Build, Version: versionString(), Log: log})
	if err != nil {
		return err
	}
	introduce(c.Stdout, server, urls, load)

	var side sync.WaitGroup
	around, end := context.WithCancel(c.Context)
	side.Go(func() { gentle(around, "http://"+server.Addresses()[0]+"/", load) })
	side.Go(func() { watch(around, c.Stdout, "http://"+server.AdminAddress()+"/api/v1/pools") })
	err = untilSignalled(server)
	end()
	side.Wait()
	return err
}

// introduce says what there is to see and to try.
func introduce(w io.Writer, server *serve.Server, urls []string, load float64) {
	proxy, admin := server.Addresses()[0], server.AdminAddress()
	fmt.Fprintf(w, `evenkeel demo: the proxy on %s, admin on %s
Five simulated backends; the last, %s, is ten times slower than the rest.
Load: %v requests a second.

Try, in another terminal:
  curl -i http://%s/                    a request; X-Evenkeel-Server says who answered
  curl -s http://%s/metrics | grep ^evenkeel
  curl -s http://%s/api/v1/pools        mode, and each endpoint's share, cost and breaker
  curl -s 'http://%s/api/v1/decisions?limit=1'  why the last request went where it went
  bin/evenkeel demo --strategy round-robin     (after stopping this one) to compare

Ctrl-C stops it. Every two seconds: the mode; of each backend its share of the requests, and
its estimated latency, which drifts to that of the others while nobody asks it.

`, proxy, admin, urls[len(urls)-1], load, proxy, admin, admin, admin)
}

// gentle sends requests at a steady rate, whether or not they are answered.
func gentle(ctx context.Context, url string, rate float64) {
	if rate == 0 {
		return
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	var under sync.WaitGroup
	defer under.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		under.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return
			}
			if answer, err := client.Do(r); err == nil {
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
}
