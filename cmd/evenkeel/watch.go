package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// poolState is what the demo reads of a pool in /api/v1/pools.
type poolState struct {
	Mode, Reason string
	Endpoints    []struct {
		Requests       uint64
		LatencySeconds *float64 `json:"latency_seconds"`
	}
}

// every is how often the demo says how it goes.
const every = 2 * time.Second

// watch prints a line every now and then, until ctx is done: the mode, and for each
// endpoint its share of the requests since the line before and its estimated latency.
func watch(ctx context.Context, w io.Writer, url string) {
	began := time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before poolState
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now, err := readPool(ctx, url); err == nil {
			fmt.Fprintf(w, "%4.0fs  %s\n", time.Since(began).Seconds(), describe(now, before))
			before = now
		}
	}
}

// describe puts a pool's state in a line, counting requests from an earlier state.
func describe(now, before poolState) string {
	counts := make([]uint64, len(now.Endpoints))
	total := uint64(0)
	for i, e := range now.Endpoints {
		counts[i] = e.Requests
		if i < len(before.Endpoints) {
			counts[i] -= before.Endpoints[i].Requests
		}
		total += counts[i]
	}
	mode := now.Mode
	if now.Reason != "none" {
		mode += " (" + now.Reason + ")"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s", mode)
	for i, e := range now.Endpoints {
		latency := "-"
		if e.LatencySeconds != nil {
			latency = fmt.Sprintf("%.0fms", 1000**e.LatencySeconds)
		}
		fmt.Fprintf(&b, "  %3.0f%% %5s", 100*float64(counts[i])/float64(max(1, total)), latency)
	}
	return b.String()
}

// readPool reads the state of the first pool.
func readPool(ctx context.Context, url string) (poolState, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return poolState{}, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return poolState{}, err
	}
	defer answer.Body.Close()
	var all struct{ Pools []poolState }
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		return poolState{}, err
	}
	if len(all.Pools) == 0 {
		return poolState{}, fmt.Errorf("%s names no pool", url)
	}
	return all.Pools[0], nil
}
