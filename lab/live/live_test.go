package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/core/witness"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// proxy is the proxy's binary, built for these tests.
var proxy string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "live-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	proxy = filepath.Join(dir, "evenkeel")
	build := exec.Command("go", "build", "-o", proxy, "github.com/evenkeel/evenkeel/cmd/evenkeel")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the proxy: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// small is a trial of a second with 50 requests and three servers.
func small() *scenario.Scenario {
	s := scenario.Default()
	s.Name, s.Duration, s.WarmUp = "small", time.Second, 200*time.Millisecond
	s.Arrivals = scenario.Arrivals{Law: "constant", Rate: 50}
	s.Servers = scenario.Servers{Count: 3, Slots: 10, Queue: 10, Service: scenario.Service{Law: "exponential", Mean: 5 * time.Millisecond}}
	return &s
}

func roundRobin(t *testing.T, s *scenario.Scenario) scenario.Subject {
	t.Helper()
	subject, err := s.Subject("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

// script makes an executable out of shell commands. It leaves its process id in the
// file that is returned too.
func script(t *testing.T, commands string) (path, pid string) {
	t.Helper()
	dir := t.TempDir()
	path, pid = filepath.Join(dir, "proxy"), filepath.Join(dir, "pid")
	text := fmt.Sprintf("#!/bin/sh\necho $$ > %s.tmp && mv %s.tmp %s\n%s\n", pid, pid, pid, commands)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, pid
}

// alone gives the test a folder for temporary files of its own, and returns a check
// that nothing is left in it.
func alone(t *testing.T) (clean func()) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func() {
		t.Helper()
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// gone checks that the processes that left their ids are no more: not there, or dead
// and waiting for whoever is to bury them. One that was somebody else's child takes a
// moment to die.
func gone(t *testing.T, pid string) {
	t.Helper()
	if _, err := os.Stat(pid); err != nil {
		t.Fatalf("it was never run: %v", err)
	}
	goneIfRun(t, pid)
}

// goneIfRun is gone for a process that had so little time that on a busy machine it may have
// been ended before its first line.
func goneIfRun(t *testing.T, pid string) {
	t.Helper()
	text, _ := os.ReadFile(pid)
	for _, id := range strings.Fields(string(text)) {
		for given := time.Now().Add(witness.Bound); ; runtime.Gosched() {
			status, err := os.ReadFile("/proc/" + id + "/stat")
			_, state, _ := strings.Cut(string(status), ") ")
			if err != nil || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X") {
				break
			}
			if time.Now().After(given) {
				t.Errorf("process %s is left: %s", id, status)
				break
			}
		}
	}
}

// nobody listens to requests.
func nobody(record.Request) {}

// A trial from end to end, through the proxy's own binary.
func TestPlay(t *testing.T) {
	clean := alone(t)
	s := small()
	wrapped, pid := script(t, "exec "+proxy+` "$@"`)
	var requests []record.Request
	header, err := Driver{Proxy: wrapped}.Play(t.Context(), s, roundRobin(t, s), 3, func(r record.Request) { requests = append(requests, r) })
	if err != nil {
		t.Fatal(err)
	}
	clean()
	gone(t, pid)

	chance := scenario.NewChance(3)
	planned, demands := slices.Collect(s.Schedule(chance)), s.Demands(chance)
	if len(requests) != len(planned) {
		t.Fatalf("got %d requests, want %d", len(requests), len(planned))
	}
	var by [3]int
	for i, r := range requests {
		if r.Seq != int64(i) || r.Planned != planned[i] || r.Code != 200 || r.Endpoint < 0 || r.Sent < r.Planned.Add(-early) {
			t.Fatalf("request %d, planned for %v: got %+v", i, planned[i], r)
		}
		by[r.Endpoint]++
		// A server works as long as the request's own number says, wherever it went.
		if _, work := demands.Of(uint64(i)); r.ServiceTime() < work {
			t.Errorf("request %d: took %v, less than its work of %v", i, r.ServiceTime(), work)
		}
	}
	for server, n := range by {
		if n < 16 || n > 17 {
			t.Errorf("server %d: got %d requests of 50 by round robin, want 16 or 17", server, n)
		}
	}
	decided := uint64(0)
	for _, d := range header.Decisions {
		decided += d.Count
	}
	if decided < 1 || decided > 50 {
		t.Errorf("decisions after the warm-up: got %d, want at most 50", decided)
	}
	// Whether it was in time is the machine's business; that it says so is ours.
	if g := header.Generator; g == nil || g.PeakInFlight < 1 || g.MeanInFlight <= 0 ||
		g.LatenessP50 > g.LatenessP99 || g.LatenessP99 > g.LatenessMax {
		t.Errorf("generator: got %+v", g)
	}
	if got := (Driver{}).Name(); got != record.Live {
		t.Errorf("name: got %q", got)
	}
}

// failed checks how a start has failed. Of a proxy with little time it may be less that is
// told: on a busy machine it has not said anything yet.
func failed(t *testing.T, p *subject, err error, within time.Duration, want string) {
	t.Helper()
	if p != nil || err == nil || err.Error() != want && (within == witness.Bound || !strings.HasPrefix(want, err.Error())) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProxyThatDoesNotStart(t *testing.T) {
	const line = `echo '{"msg":"listening failed"}' >&2; `
	for _, c := range []struct {
		name, commands string
		within         time.Duration
		want           string
	}{
		{"it exits at once", "exit 0", witness.Bound, "the proxy ended before it was ready (exit status 0): "},
		{"it fails at once", line + "exit 3", witness.Bound, `the proxy ended before it was ready (exit status 3): {"msg":"listening failed"}`},
		{"it leaves its log to another", line + "sleep 1000 & echo $! >>$(dirname $0)/pid; exit 3", witness.Bound, `the proxy ended before it was ready (exit status 3): {"msg":"listening failed"}`},
		{"it is never ready", line + "exec sleep 1000", time.Second, `the proxy was not ready within 1s: {"msg":"listening failed"}`},
		{"it hides behind another", "sleep 1000 2>/dev/null & echo $! >>$(dirname $0)/pid; wait", time.Second, `the proxy was not ready within 1s: `},
	} {
		t.Run(c.name, func(t *testing.T) {
			clean := alone(t)
			binary, pid := script(t, c.commands)
			p, err := startSubject(t.Context(), c.within, binary, roundRobin(t, small()), []string{"http://127.0.0.1:1"})
			failed(t, p, err, c.within, c.want)
			clean()
			goneIfRun(t, pid)
		})
	}
	t.Run("it does not exist", func(t *testing.T) {
		clean := alone(t)
		s := small()
		_, err := Driver{Proxy: filepath.Join(t.TempDir(), "nothing")}.Play(t.Context(), s, roundRobin(t, s), 1, nobody)
		if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "starting the proxy: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want a line that says so", err)
		}
		clean()
	})
}

// The proxy ends in the middle: the trial is an error that says how.
func TestProxyThatEnds(t *testing.T) {
	clean := alone(t)
	binary, pid := script(t, proxy+` "$@" & sleep 0.3; kill -KILL $!; wait; echo out of order >&2; exit 4`)
	s := small()
	_, err := Driver{Proxy: binary}.Play(t.Context(), s, roundRobin(t, s), 1, nobody)
	if err == nil || !strings.Contains(err.Error(), "out of order") || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("got %v, want what it said and exit status 4", err)
	}
	clean()
	gone(t, pid)
}

// An interrupted trial stops everything, at whatever point it is.
func TestPlayCancelled(t *testing.T) {
	s := small()
	s.Duration = time.Hour
	interrupt := func(t *testing.T, binary string, when func() bool) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for ctx.Err() == nil && !when() {
				runtime.Gosched()
			}
			cancel()
		}()
		_, err := Driver{Proxy: binary}.Play(ctx, s, roundRobin(t, s), 1, nobody)
		cancel()
		<-watched
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want it cancelled", err)
		}
	}
	exists := func(path string) func() bool {
		return func() bool {
			_, err := os.Stat(path)
			return err == nil
		}
	}
	t.Run("before", func(t *testing.T) {
		clean := alone(t)
		binary, _ := script(t, "exec sleep 1000")
		interrupt(t, binary, func() bool { return true })
		clean()
	})
	t.Run("as the proxy starts", func(t *testing.T) {
		clean := alone(t)
		binary, pid := script(t, "exec sleep 1000")
		interrupt(t, binary, exists(pid))
		clean()
		gone(t, pid)
	})
	t.Run("under load", func(t *testing.T) {
		clean := alone(t)
		// The log of a proxy that is ready is passed on before the file says so.
		loaded := filepath.Join(t.TempDir(), "loaded")
		binary, pid := script(t, fmt.Sprintf("(sleep 1; touch %s) & exec %s \"$@\"", loaded, proxy))
		interrupt(t, binary, exists(loaded))
		clean()
		gone(t, pid)
	})
}

func TestTail(t *testing.T) {
	var last tail
	if got := last.String(); got != "" {
		t.Errorf("empty: got %q", got)
	}
	for i := range 8 {
		last.add(strconv.Itoa(i))
	}
	if got, want := last.String(), "3 | 4 | 5 | 6 | 7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
