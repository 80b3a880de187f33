package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// one reads a file of one pool with the given policies.
func one(t *testing.T, policies string) (Policies, error) {
	t.Helper()
	f, err := Parse("f", []byte("version: 1\npools: [{name: a, endpoints: [http://h], "+policies+"}]"))
	if err != nil {
		return Policies{}, err
	}
	return f.Pools[0].Policies, nil
}

// Every limiter and every shedder has the defaults of its own settings, and none of the
// others'.
func TestLimitDefaults(t *testing.T) {
	const tenth = 100 * time.Millisecond
	for text, want := range map[string]Concurrency{
		"fixed":                 {Name: "fixed", Limit: 100, MaxWait: time.Second},
		"aimd":                  {Name: "aimd", Initial: 20, Min: 1, Max: 1000, Window: tenth, Samples: 10, Timeout: 5 * time.Second, MaxWait: time.Second},
		"vegas":                 {Name: "vegas", Initial: 20, Min: 1, Max: 1000, Window: tenth, Samples: 10, MaxWait: time.Second},
		"gradient2":             {Name: "gradient2", Initial: 20, Min: 1, Max: 1000, Window: tenth, Samples: 10, Tolerance: 1.5, Headroom: 4, MaxWait: time.Second},
		"correlated":            {Name: "correlated", Initial: 20, Min: 1, Max: 1000, Window: tenth, Samples: 50, Quantile: 0.9, MaxWait: time.Second},
		"{name: vegas, max: 5}": {Name: "vegas", Initial: 5, Min: 1, Max: 5, Window: tenth, Samples: 10, MaxWait: time.Second},
		"{name: vegas, min: 30, queue: 7, max_wait: 1m, dry_run: true}": {
			Name: "vegas", Initial: 30, Min: 30, Max: 1000, Window: tenth, Samples: 10, Queue: 7, MaxWait: time.Minute, DryRun: true},
	} {
		p, err := one(t, "concurrency: "+text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(&want, p.Concurrency); diff != "" {
			t.Errorf("concurrency: %s (-want +got):\n%s", text, diff)
		}
		if want.Queue != 0 {
			continue
		}
		want.MaxWait = 0
		if p, err = one(t, "endpoint_concurrency: "+text); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(&want, p.EndpointConcurrency); diff != "" {
			t.Errorf("endpoint_concurrency: %s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]Shed{
		"codel":        {Name: "codel", Target: 5 * time.Millisecond, Interval: tenth},
		"accept-ratio": {Name: "accept-ratio", K: 2, Window: 2 * time.Minute, MaxRatio: 0.9},
		"{name: accept-ratio, k: 1.2, priority_header: x-importance}": {
			Name: "accept-ratio", K: 1.2, Window: 2 * time.Minute, MaxRatio: 0.9, PriorityHeader: "x-importance"},
	} {
		p, err := one(t, "shed: "+text)
		if diff := cmp.Diff(&want, p.Shed); err != nil || diff != "" {
			t.Errorf("shed: %s: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

// What codel needs it gets: a limiter, and a queue.
func TestCoDelComesWithAQueue(t *testing.T) {
	gradient2, fixed := NewConcurrency("gradient2"), NewConcurrency("fixed")
	gradient2.Queue, fixed.Queue = 1000, 1000
	short := NewConcurrency("fixed")
	short.Queue = 3
	for text, want := range map[string]*Concurrency{
		"shed: codel":                                       &gradient2,
		"shed: codel, concurrency: fixed":                   &fixed,
		"shed: codel, concurrency: {name: fixed, queue: 3}": &short,
		"shed: accept-ratio":                                nil,
	} {
		p, err := one(t, text)
		if diff := cmp.Diff(want, p.Concurrency); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	shared := NewConcurrency("fixed")
	p := Policies{Concurrency: &shared, Shed: &Shed{Name: "codel"}}
	p.Derive(nil)
	if shared.Queue != 0 || p.Concurrency.Queue != 1000 {
		t.Errorf("got a queue of %d in what is shared and %d, want 0 and 1000", shared.Queue, p.Concurrency.Queue)
	}
}

// What a limiter or a shedder does not have is refused, as is what cannot be.
func TestLimitsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"concurrency: gradient3":                                 `concurrency.name: unknown limiter "gradient3": did you mean "gradient2"?`,
		"concurrency: {name: vegas, limit: 5}":                   "concurrency.limit: vegas has no limit: only fixed has",
		"concurrency: {name: fixed, initial: 5}":                 "concurrency.initial: fixed has no initial: only aimd, vegas, gradient2 and correlated have",
		"concurrency: {name: fixed, min: 5}":                     "concurrency.min: fixed has no min: only",
		"concurrency: {name: fixed, max: 5}":                     "concurrency.max: fixed has no max: only",
		"concurrency: {name: fixed, window: 5s}":                 "concurrency.window: fixed has no window: only",
		"concurrency: {name: fixed, samples: 5}":                 "concurrency.samples: fixed has no samples: only",
		"concurrency: {name: vegas, timeout: 5s}":                "concurrency.timeout: vegas has no timeout: only aimd has",
		"concurrency: {name: vegas, tolerance: 2}":               "concurrency.tolerance: vegas has no tolerance: only gradient2 has",
		"concurrency: {name: vegas, headroom: 2}":                "concurrency.headroom: vegas has no headroom: only gradient2 has",
		"concurrency: {name: vegas, quantile: 0.5}":              "concurrency.quantile: vegas has no quantile: only correlated has",
		"concurrency: {name: vegas, min: 0}":                     "concurrency.min: expected a number from 1 to 1000000, found 0",
		"concurrency: {name: vegas, min: 9, max: 8, initial: 9}": "concurrency.max: expected a number from 9 to 1000000, found 8",
		"concurrency: {name: vegas, max: 8, initial: 9}":         "concurrency.initial: expected a number from 1 to 8, found 9",
		"concurrency: {name: vegas, window: 0}":                  "concurrency.window: expected a duration from 1ms to 1h0m0s, found 0s",
		"concurrency: {name: vegas, samples: 0}":                 "concurrency.samples: expected a number from 1",
		"concurrency: {name: aimd, timeout: 0}":                  "concurrency.timeout: expected a duration above 0, found 0s",
		"concurrency: {name: gradient2, tolerance: 0.9}":         "concurrency.tolerance: expected a number from 1 to 100, found 0.9",
		"concurrency: {name: gradient2, headroom: 0}":            "concurrency.headroom: expected a number from 1",
		"concurrency: {name: correlated, quantile: 1}":           "concurrency.quantile: expected a share above 0 and below 1, found 1",
		"concurrency: {max_wait: 0}":                             "concurrency.max_wait: expected a duration above 0",
		"endpoint_concurrency: {queue: 5}":                       "endpoint_concurrency.queue: an endpoint has no queue",
		"endpoint_concurrency: {max_wait: 2s}":                   "endpoint_concurrency.max_wait: an endpoint has no queue",
		"endpoint_concurrency: {limit: 0}":                       "endpoint_concurrency.limit: expected a number from 1",
		"shed: {}":                                               "shed.name: required, but not given",
		"shed: codle":                                            `shed.name: unknown shedder "codle": did you mean "codel"?`,
		"shed: {name: codel, k: 2}":                              "shed.k: codel has no k: only accept-ratio has",
		"shed: {name: codel, window: 2s}":                        "shed.window: codel has no window: only accept-ratio has",
		"shed: {name: codel, max_ratio: 0.5}":                    "shed.max_ratio: codel has no max_ratio: only accept-ratio has",
		"shed: {name: codel, priority_header: X-P}":              "shed.priority_header: codel has no priority_header: only accept-ratio has",
		"shed: {name: accept-ratio, target: 5ms}":                "shed.target: accept-ratio has no target: only codel has",
		"shed: {name: accept-ratio, interval: 5ms}":              "shed.interval: accept-ratio has no interval: only codel has",
		"shed: {name: codel, target: 0}":                         "shed.target: expected a duration from 1µs",
		"shed: {name: codel, target: 200ms}":                     "shed.interval: expected a duration from 200ms to 1h0m0s, found 100ms",
		"shed: {name: accept-ratio, k: 0.5}":                     "shed.k: expected a number from 1 to 1000, found 0.5",
		"shed: {name: accept-ratio, window: 1ms}":                "shed.window: expected a duration from 1s",
		"shed: {name: accept-ratio, max_ratio: 1.5}":             "shed.max_ratio: expected a share above 0, at most 1, found 1.5",
		"shed: {name: accept-ratio, priority_header: \"a b\"}":   `shed.priority_header: expected the name of a header, such as X-Priority, found "a b"`,
		"shed: {name: accept-ratio, priority_header: host}":      `shed.priority_header: expected a header of its own, found "host"`,
	} {
		_, err := one(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// Limits of rate: costs that could never be paid, and what else cannot be.
func TestRateLimitsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"routes: [{pool: web, cost: 0}]":                                         "routes[0].cost: expected a number from 1",
		"routes: [{pool: web, cost: 5, rate_limit: {rate: 4}}]":                  "routes[0].cost: expected at most the burst of its rate_limit (4), found 5",
		"rate_limit: {rate: 4}\nroutes: [{pool: web, cost: 5}]":                  "routes[0].cost: expected at most the burst of the global rate_limit (4), found 5",
		"rate_limit: {rate: 0}":                                                  "rate_limit.rate: expected requests a second, above 0",
		"rate_limit: {rate: 1, key: user}":                                       `rate_limit.key: unknown key "user"`,
		"rate_limit: {rate: 1, burst: 0}":                                        "rate_limit.burst: expected a number from 1",
		"rate_limit: {rate: 1, max_delay: -1s}":                                  "rate_limit.max_delay: expected a duration from 0s to 1h0m0s, found -1s",
		"routes: [{pool: web, rate_limit: {rate: 1, max_delay: 2h}}]":            "routes[0].rate_limit.max_delay: expected a duration from 0s to 1h0m0s, found 2h0m0s",
		"rate_limit: {rate: 1.0e-9, burst: 100}\nroutes: [{pool: web, cost: 5}]": "rate_limit.burst: expected less than a century's worth",
	} {
		_, err := Parse("f", []byte(minimal+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}
