package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

// source is a file that changes.
type source struct{ text atomic.Pointer[string] }

func (f *source) write(format string, args ...any) {
	text := "version: 1\nadmin: {address: \"127.0.0.1:0\"}\n" + fmt.Sprintf(format, args...)
	f.text.Store(&text)
}

func (f *source) load() (*config.File, error) {
	return config.Parse("evenkeel.yaml", []byte(*f.text.Load()))
}

// serveFile starts a server from a file that may change.
func serveFile(t *testing.T, f *source, log io.Writer) *server {
	t.Helper()
	file, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Load, o.Level = f.load, new(slog.LevelVar)
	o.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: o.Level}))
	return startWith(t, file, o)
}

func reload(t *testing.T, s *server) {
	t.Helper()
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
}

func named(t *testing.T, name string) string {
	return backend(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })
}

const oneListener = "listeners: [{address: \"127.0.0.1:0\"}]\n"

// What stays keeps what it has learned and counted; what goes is gone from the metrics.
func TestReloadKeepsWhatStays(t *testing.T) {
	a, b, c := named(t, "a"), named(t, "b"), named(t, "c")
	f := &source{}
	f.write(oneListener+"pools: [{name: web, strategy: round-robin, endpoints: [%s, %s]}, {name: old, endpoints: [%s]}]\nroutes: [{path_prefix: /, pool: web}, {path_prefix: /old, pool: old}]", a, b, c)
	s := serveFile(t, f, io.Discard)
	for range 4 {
		s.get(s.public()).want(t, "before", 200, "")
	}
	router := serve.Router(s.Server, "web")
	kept := router.View().Members[1]

	f.write(oneListener+"pools: [{name: web, strategy: round-robin, timeouts: {total: 7s}, retries: {attempts: 3}, endpoints: [%s, {url: \"%s\", weight: 0}]}]", c, b)
	reload(t, s)
	if got := serve.Router(s.Server, "web"); got != router {
		t.Error("the router of a pool whose timeouts have changed is another one")
	}
	if m := router.View().Members[1]; m != kept || m.Leases() != 2 || m.Weight() != 0 {
		t.Errorf("member that stays: got %v with %d leases, weight %v; want the same with 2, weight 0", m.Key, m.Leases(), m.Weight())
	}
	for range 3 {
		s.get(s.public()).want(t, "after", 200, "c")
	}
	s.get(s.public()+"/old").want(t, "the route that is gone", 200, "c")
	metrics := s.get(s.admin() + "/metrics").body
	for text, want := range map[string]bool{
		`evenkeel_attempts_total{endpoint="` + b[7:] + `",outcome="success",pool="web"} 2`: true,
		`endpoint="` + a[7:] + `"`: false,
		`pool="old"`:               false,
		`route="old"`:              false,
		`evenkeel_requests_total{code="2xx",route="web"} 8`:        true,
		`evenkeel_config_reloads_total{result="success"} 1`:        true,
		`evenkeel_config_reloads_total{result="failure"} 0`:        true,
		`evenkeel_config_last_reload_successful 1`:                 true,
		`evenkeel_config_last_reload_success_timestamp_seconds 1.`: true,
	} {
		if strings.Contains(metrics, text) != want {
			t.Errorf("metrics: %s: got %v, want %v", text, !want, want)
		}
	}
}

// The bounds of a pool that have changed hold for the requests that come.
func TestReloadChangesBounds(t *testing.T) {
	url, _, _ := held(t)
	f := &source{}
	f.write(oneListener+"pools: [{name: web, strategy: round-robin, timeouts: {total: 1h}, endpoints: [%s]}]", url)
	s := serveFile(t, f, io.Discard)
	f.write(oneListener+"pools: [{name: web, strategy: round-robin, timeouts: {total: 20ms}, endpoints: [%s]}]", url)
	reload(t, s)
	s.get(s.public()).want(t, "after", 504, "timeout")
}

// A file that is not good changes nothing, and each of its mistakes is one line.
func TestReloadOfABadFile(t *testing.T) {
	f := &source{}
	var log bytes.Buffer
	f.write(oneListener+"pools: [{name: web, endpoints: [%s]}]", named(t, "a"))
	s := serveFile(t, f, &log)
	plane := serve.Router(s.Server, "web")
	for name, text := range map[string]string{
		"two mistakes":  oneListener + "pools: [{name: web, endpoints: []}]\nroutes: [{pool: wob}]",
		"a taken port":  "listeners: [{address: \"127.0.0.1:0\"}, {address: \"" + s.AdminAddress() + "\"}]\npools: [{name: web, endpoints: [\"http://127.0.0.1:1\"]}]",
		"no token file": "log: {level: debug}\npools: [{name: web, endpoints: [\"http://127.0.0.1:1\"]}]",
	} {
		f.write("%s", text)
		if name == "no token file" {
			*f.text.Load() = strings.Replace(*f.text.Load(), "admin: {", "admin: {token_file: /nowhere/at/all, ", 1)
		}
		if err := s.Reload(); err == nil {
			t.Errorf("%s: got no error", name)
		}
		if serve.Router(s.Server, "web") != plane {
			t.Errorf("%s: the pool is another one", name)
		}
		s.get(s.public()).want(t, name, 200, "a")
	}
	s.get(s.admin()+"/metrics").want(t, "metrics", 200, `evenkeel_config_reloads_total{result="failure"} 3`)
	s.get(s.admin()+"/metrics").want(t, "metrics", 200, "evenkeel_config_last_reload_successful 0")
	s.stop()
	witness.Await(t, "end of the server", s.done)
	if got := strings.Count(log.String(), "configuration not reloaded"); got != 4 || !strings.Contains(log.String(), `"error":"evenkeel.yaml:`) {
		t.Errorf("log: got %d lines, want 4, of which two with the place:\n%s", got, &log)
	}
}

func TestNothingToReload(t *testing.T) {
	s := start(t, parse(t, named(t, "a"), "", "", ""))
	if err := s.Reload(); !errors.Is(err, serve.ErrNothingToReload) {
		t.Errorf("got %v, want %v", err, serve.ErrNothingToReload)
	}
}

// A request finishes on what it began with, also when that is not there any more.
func TestRequestOutlivesItsConfiguration(t *testing.T) {
	url, arrived, let := held(t)
	f := &source{}
	f.write(oneListener+"pools: [{name: web, endpoints: [%s]}]", url)
	s := serveFile(t, f, io.Discard)
	inProgress := s.ask(s.public())
	witness.Await(t, "request at the backend", arrived)
	old := serve.Router(s.Server, "web")
	f.write(oneListener+"pools: [{name: new, endpoints: [%s]}]", named(t, "new"))
	reload(t, s)
	s.get(s.public()).want(t, "a request that comes now", 200, "new")
	if got := serve.Alive(s.Server); got != 2 {
		t.Errorf("configurations in use: got %d, want 2", got)
	}
	let()
	witness.Await(t, "answer of the request in progress", inProgress).want(t, "request in progress", 200, "complete")
	witness.Eventually(t, "the old configuration is not in use", func() bool { return serve.Alive(s.Server) == 1 })
	if got := old.View().Members[0].Pending(); got != 0 {
		t.Errorf("pending in the pool that is gone: got %d, want 0", got)
	}
}

// A bucket is as full after a reload as it was before, unless its own settings changed.
func TestReloadKeepsBuckets(t *testing.T) {
	url := named(t, "a")
	f := &source{}
	const pools = oneListener + "pools: [{name: web, endpoints: [%s]}]\n"
	f.write(pools+"rate_limit: {rate: 0.001, burst: 3}\nroutes: [{pool: web, rate_limit: {rate: 0.001, burst: 2}}]", url)
	s := serveFile(t, f, io.Discard)
	s.get(s.public()).want(t, "first", 200, "a")
	f.write(pools+"rate_limit: {rate: 0.001, burst: 3}\nroutes: [{pool: web, rate_limit: {rate: 0.001, burst: 2, headers: false}}]", url)
	reload(t, s)
	got := s.get(s.public())
	got.want(t, "second", 200, "a")
	if left := got.header.Get("RateLimit"); left != `"global";r=1;t=2000` {
		t.Errorf("RateLimit: got %q, want one request left of the global limit alone", left)
	}
	s.get(s.public()).want(t, "third", 429, "rate-limit")
	f.write(pools+"rate_limit: {rate: 0.001, burst: 3}\nroutes: [{pool: web, rate_limit: {rate: 0.001, burst: 4}}]", url)
	reload(t, s)
	s.get(s.public()).want(t, "with another limit", 200, "a")
	s.get(s.public()).want(t, "with the global limit used up", 429, "rate-limit")
}

// Listeners come, go, and stay; one whose settings change stays open all the time.
func TestReloadChangesListeners(t *testing.T) {
	url := named(t, "a")
	f := &source{}
	pools := fmt.Sprintf("pools: [{name: web, endpoints: [%s]}]\n", url)
	f.write("%s", oneListener+pools)
	s := serveFile(t, f, io.Discard)
	first := s.Addresses()[0]
	c := witness.Dial(t, "tcp", first)
	in := bufio.NewReader(c)
	ask := func(what string, close bool) {
		t.Helper()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil || answer.StatusCode != 200 || answer.Close != close {
			t.Fatalf("%s: got %v, %v, want 200, close %v", what, answer, err, close)
		}
		io.Copy(io.Discard, answer.Body)
	}
	ask("before", false)
	reload(t, s)
	ask("with the same listener", false)
	if got := s.Addresses()[0]; got != first {
		t.Errorf("address of the same listener: got %s, want %s", got, first)
	}
	f.write("%s", "listeners: [{address: \"127.0.0.1:0\"}, {address: \"localhost:0\", max_header_bytes: 2000}]\n"+pools)
	reload(t, s)
	second := s.Addresses()[1]
	s.get("http://"+second).want(t, "the new listener", 200, "a")
	f.write("%s", "listeners: [{address: \"localhost:0\", max_header_bytes: 4000}]\n"+pools)
	reload(t, s)
	witness.Eventually(t, "the first listener is closed", func() bool { return refused(first) })
	if got := s.Addresses(); len(got) != 1 || got[0] != second {
		t.Errorf("addresses: got %v, want %s with its new settings", got, second)
	}
	for range 20 { // none of them is at a server that has been shut down
		s.get("http://"+second).want(t, "the listener with new settings", 200, "a")
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("idle connection to the listener that is gone: got %v, want the end", err)
	}
}

// The admin listener shows what the settings say now, and moves when it is told to.
func TestReloadChangesAdmin(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &source{}
	admin := func(settings string) {
		f.write(oneListener+"pools: [{name: web, endpoints: [%s]}]", "http://127.0.0.1:1")
		*f.text.Load() = strings.Replace(*f.text.Load(), `{address: "127.0.0.1:0"}`, settings, 1)
	}
	admin(`{address: "127.0.0.1:0", token_file: ` + token + "}")
	s := serveFile(t, f, io.Discard)
	before := s.AdminAddress()
	s.get(s.admin()+"/debug/pprof/").want(t, "pprof before", 404, "")
	admin(`{address: "127.0.0.1:0", pprof: true, token_file: ` + token + "}")
	r, err := http.NewRequest(http.MethodPost, s.admin()+"/api/v1/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	answer, err := s.client.Do(r)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("reload by a call: got %v, %v, want 200", answer, err)
	}
	answer.Body.Close()
	s.get(s.admin()+"/debug/pprof/").want(t, "pprof after", 200, "")
	if got := s.AdminAddress(); got != before {
		t.Errorf("address: got %s, want %s", got, before)
	}
	admin(`{address: "localhost:0"}`)
	reload(t, s)
	witness.Eventually(t, "the admin listener has moved", func() bool { return refused(before) })
	s.get(s.admin()+"/healthz").want(t, "healthz", 200, "ok")
	admin("{enabled: false}")
	reload(t, s)
	if got := s.AdminAddress(); got != "" {
		t.Errorf("address of no admin listener: got %s", got)
	}
}

// The checks of a pool that stays go on, with the endpoints that there are now; those of
// one that goes end.
func TestReloadAndHealthChecks(t *testing.T) {
	var first, second atomic.Int64
	count := func(n *atomic.Int64) string {
		return backend(t, func(http.ResponseWriter, *http.Request) { n.Add(1) })
	}
	a, b := count(&first), count(&second)
	f := &source{}
	write := func(url, total string) {
		f.write(oneListener+"pools: [{name: web, health: {interval: 1ms}, timeouts: {connect: %s}, endpoints: [%s]}]", total, url)
	}
	write(a, "1s")
	s := serveFile(t, f, io.Discard)
	checked := func(what string, n *atomic.Int64) {
		t.Helper()
		from := n.Load()
		witness.Eventually(t, what, func() bool { return n.Load() > from+2 })
	}
	checked("checks", &first)
	write(b, "1s")
	reload(t, s)
	checked("checks of the new endpoint", &second)
	write(b, "2s") // another transport
	reload(t, s)
	checked("checks over the new transport", &second)
	f.write(oneListener + "pools: [{name: other, endpoints: [\"http://127.0.0.1:1\"]}]")
	reload(t, s)
	witness.Eventually(t, "the checks have ended", func() bool {
		from := second.Load()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		<-tick.C
		return second.Load() == from
	})
}

// Under load, through fifty reloads of every kind, no request is lost.
func TestNoRequestIsLostInAReload(t *testing.T) {
	var urls []any
	for range 4 {
		urls = append(urls, named(t, "x"))
	}
	f := &source{}
	kinds := []string{
		oneListener + "pools: [{name: web, endpoints: [%s, %s, %s]}]\n# %s",
		oneListener + "pools: [{name: web, endpoints: [%[2]s, %[4]s]}]",
		oneListener + "pools: [{name: web, strategy: round-robin, health: {interval: 5ms}, endpoints: [%[1]s, %[2]s, %[3]s, %[4]s]}]",
		oneListener + "pools: [{name: other, timeouts: {connect: 10s}, concurrency: {name: fixed, limit: 100}, endpoints: [%[1]s]}]\nrate_limit: {rate: 1e6}",
		"listeners: [{address: \"127.0.0.1:0\", max_header_bytes: 5000}]\npools: [{name: web, endpoints: [%[3]s]}]",
	}
	write := func(i int) { f.write(kinds[i%len(kinds)], urls...) }
	write(0)
	s := serveFile(t, f, io.Discard)
	ctx, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	public := s.public()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10}, Timeout: witness.Bound}
	defer client.CloseIdleConnections()
	var load sync.WaitGroup
	var served atomic.Int64
	for i := range 6 {
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				// GET: where a connection is closed while it is idle, the client asks again
				// by itself. On a new connection it does not: there is no excuse.
				r, err := http.NewRequest(http.MethodGet, public, nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Close = (n+i)%3 == 0
				answer, err := client.Do(r)
				if err != nil {
					t.Errorf("request: %v", err)
					continue
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if answer.StatusCode != 200 || string(body) != "x" || err != nil {
					t.Errorf("request: got %d %q, %v, want 200 x", answer.StatusCode, body, err)
				}
				served.Add(1)
			}
		})
	}
	for i := range 50 {
		from := served.Load()
		witness.Eventually(t, "requests between two reloads", func() bool { return served.Load() > from+5 })
		write(i + 1)
		reload(t, s)
	}
	end()
	load.Wait()
	witness.Eventually(t, "one configuration in use", func() bool { return serve.Alive(s.Server) == 1 })
	for _, m := range serve.Router(s.Server, "web").View().Members {
		if got := m.Pending(); got != 0 {
			t.Errorf("pending at %s: got %d, want 0", m.Key, got)
		}
	}
}

// To find what a request is served by costs no allocation.
func TestEnteringAllocatesNothing(t *testing.T) {
	s := start(t, parse(t, named(t, "a"), "", "", ""))
	if got := testing.AllocsPerRun(100, func() { serve.Enter(s.Server) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}
