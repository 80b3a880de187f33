//go:build conformance

package main

import (
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/evenkeel/evenkeel/core/witness"
	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

var blocks = flag.Int("blocks", 1, "TestDefaults: how often every subject is played in every situation")

// fleet is five servers in the lab's words, four requests at a time each, 500 a second
// together. The faults of a situation are all of the first of them.
const fleet = `version: 1
name: defaults
models: one of five endpoints is bad
duration: 12s
arrivals: {law: constant, rate: 300}
servers: {count: 5, slots: 4, service: {law: exponential, mean: 40ms}}
faults:
`

const (
	// pressure is the load in requests a second: 60 % of what five servers can do, 75 % of
	// what four can.
	pressure = 300
	// postEach says that each fifth request is a POST with a body, which no subject may
	// send twice once an endpoint may have it.
	postEach = 5
	// badFrom is when the trouble begins, in every situation, and badUntil when it is not
	// over in any.
	badFrom, badUntil = 2 * time.Second, 7 * time.Second
	// good is how long a request may take that is not hurt, ten times the mean; and
	// goodShare is how many have to be so.
	good      = 400 * time.Millisecond
	goodShare = 0.99
)

// situation is what may be wrong with an endpoint.
type situation struct {
	name   string
	lasts  time.Duration // of the load
	faults string
	back   time.Duration // when the endpoint serves again; 0: nobody looks
	lost   [2]int        // how many GET and POST ours may lose
}

var situations = []situation{
	{
		name: "slow", lasts: 10 * time.Second,
		faults: "- {kind: slow, servers: [0], from: 2s, to: 7s, factor: 10}",
	},
	{
		name: "failing", lasts: 10 * time.Second, lost: [2]int{0, 10},
		faults: "- {kind: error, servers: [0], from: 2s, to: 7s, code: 503, latency: 1ms}",
	},
	{
		name: "hanging", lasts: 10 * time.Second, lost: [2]int{0, 10},
		faults: "- {kind: hang, servers: [0], from: 2s, to: 7s}",
	},
	{
		name: "flapping", lasts: 10 * time.Second, lost: [2]int{0, 10},
		faults: "- {kind: refused, servers: [0], from: 2s, to: 8s, every: 2s, for: 1s}",
	},
	{ // a breaker that found it still down opens for five seconds at most
		name: "recovering", lasts: 12 * time.Second, lost: [2]int{0, 5}, back: 5 * time.Second,
		faults: "- {kind: refused, servers: [0], from: 2s, to: 5s}\n- {kind: slow, servers: [0], from: 5s, to: 8s, factor: 10, shape: decay}",
	},
}

// subject is what stands before the endpoints.
type subject struct {
	name  string
	start func(t *testing.T, urls []string) (address string)
}

// subjects are ours, with the endpoints' addresses and nothing else, and the others with all
// that they have.
var subjects = []subject{
	{"evenkeel", func(t *testing.T, urls []string) string {
		return launch(t, "run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--endpoints", strings.Join(urls, ",")).ready(t).proxy
	}},
	{"HAProxy", func(t *testing.T, urls []string) string {
		return startTuned(t, urls, "haproxy.cfg", "haproxy", "-db", "-f")
	}},
	{"nginx", func(t *testing.T, urls []string) string {
		return startTuned(t, urls, "nginx.conf", "nginx", "-e", "stderr", "-p", ".", "-c")
	}},
}

// startTuned starts another proxy with the configuration that lies in testdata, in a folder
// and a process group of its own, and waits until it listens.
func startTuned(t *testing.T, urls []string, file, program string, args ...string) (address string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program) // not on everybody's path
	}
	if err != nil {
		t.Fatalf("this needs %s: apt-get install %s (%v)", program, program, err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	var said witness.Log
	c := exec.Command(path, append(args, file)...)
	c.Dir, c.Stdout, c.Stderr = configured(t, file, address, urls), &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM) // nginx ends its workers then
		kill := time.AfterFunc(witness.Bound, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		defer kill.Stop()
		c.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", program, &said)
		}
	})
	witness.Eventually(t, program+" listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}

// configured writes another proxy's configuration, and returns its folder.
func configured(t *testing.T, file, listen string, urls []string) (folder string) {
	t.Helper()
	var servers []string
	for _, url := range urls {
		servers = append(servers, strings.TrimPrefix(url, "http://"))
	}
	tuned, err := template.ParseFiles(filepath.Join("testdata", "defaults", file))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := tuned.Execute(&text, map[string]any{"Listen": listen, "Servers": servers}); err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, file), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// endpoints starts the servers of a situation.
func endpoints(t *testing.T, s *scenario.Scenario) (all []*backend.Backend, urls []string) {
	t.Helper()
	for i := range s.Servers.Count {
		b, err := backend.Start(s, i)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		b.Keep(pressure)
		all, urls = append(all, b), append(urls, b.URL())
	}
	return all, urls
}

// play plays a subject in a situation. The seed decides what the requests cost and when the
// trouble of a flapping endpoint comes and goes.
func play(t *testing.T, is situation, who subject, seed uint64) trial {
	t.Helper()
	s, err := scenario.Parse(is.name, []byte(fleet+is.faults), scenario.Sim)
	if err != nil {
		t.Fatal(err)
	}
	servers, urls := endpoints(t, s)
	address := who.start(t, urls)
	began := time.Now()
	for _, b := range servers {
		b.Begin(began, scenario.NewChance(seed))
	}
	all := press(pressure, is.lasts, func(i int) (*http.Request, int) {
		method, kind, body := "GET", 0, io.Reader(nil)
		if i%postEach == 0 {
			method, kind, body = "POST", 1, strings.NewReader("a body")
		}
		r := request(t, method, "http://"+address, body)
		r.Header.Set(backend.SeqHeader, strconv.Itoa(i))
		return r, kind
	})
	one := judge(all)
	one.felt = feltAt(servers[0].Log(), all)
	if is.back == 0 {
		return one
	}
	one.used = never
	for _, e := range servers[0].Log() {
		if at := time.Duration(e.Arrived); at >= is.back {
			one.used = min(one.used, at-is.back)
		}
	}
	return one
}

// TestDefaults plays evenkeel with nothing but its endpoints, and two others as tuned as they
// can be, in five situations: subjects in turn, in an order drawn anew for each block. What
// is demanded hardly hangs on the machine: nothing is lost that another endpoint could have
// answered, and hardly more requests feel what is wrong than with the best of the others.
func TestDefaults(t *testing.T) {
	order := rand.New(rand.NewPCG(1, 1))
	for _, is := range situations {
		t.Run(is.name, func(t *testing.T) {
			trials := make([][]trial, len(subjects))
			for block := range *blocks {
				for _, i := range order.Perm(len(subjects)) {
					t.Run(subjects[i].name, func(t *testing.T) {
						one := play(t, is, subjects[i], uint64(block+1))
						trials[i] = append(trials[i], one)
						t.Log(one)
					})
				}
			}
			compare(t, is, trials)
		})
	}
}

// compare tells the medians of each subject's trials, and holds ours to what is demanded.
func compare(t *testing.T, is situation, trials [][]trial) {
	t.Helper()
	var sums []trial
	for i, who := range subjects {
		if len(trials[i]) < *blocks {
			t.Fatalf("%s: %d trials, want %d", who.name, len(trials[i]), *blocks)
		}
		sums = append(sums, sumUp(trials[i]))
		t.Logf("%-8s %s", who.name, sums[i])
	}
	ours, best := sums[0], min(sums[1].felt, sums[2].felt)
	if ours.lost[0] > is.lost[0] || ours.lost[1] > is.lost[1] {
		t.Errorf("%s: lost %d GET and %d POST, want at most %d and %d", subjects[0].name, ours.lost[0], ours.lost[1], is.lost[0], is.lost[1])
	}
	if ours.felt > best+20 { // late by chance, on a busy machine
		t.Errorf("%s: %d requests felt it, want about as few as %d", subjects[0].name, ours.felt, best)
	}
	if ours.used == never {
		t.Errorf("%s: the endpoint was not used again", subjects[0].name)
	}
}
