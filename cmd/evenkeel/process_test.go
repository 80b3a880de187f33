package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/witness"
)

// process is the command at work.
type process struct {
	*exec.Cmd
	proxy, admin string // addresses
	log          *witness.Log
	ended        chan struct{}
}

// launch starts the binary; it is killed at the end of the test at the latest.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(binary, args...), log: &witness.Log{}, ended: make(chan struct{})}
	p.Stdout, p.Stderr = p.log, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.Wait()
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
		if strings.Contains(p.log.String(), "goroutine ") {
			t.Errorf("output: got a stack trace:\n%s", p.log)
		}
	})
	return p
}

// ready waits for the line of the log that tells the addresses.
func (p *process) ready(t *testing.T) *process {
	t.Helper()
	witness.Eventually(t, "ready", func() bool {
		for line := range strings.Lines(p.log.String()) {
			var said struct {
				Msg, Admin string
				Listeners  []string
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "ready" && strings.HasSuffix(line, "\n") {
				p.proxy, p.admin = said.Listeners[0], said.Admin
				return true
			}
		}
		return false
	})
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.ProcessState.ExitCode()
	case <-time.After(witness.Bound):
		t.Fatalf("end of the process: got none within %v; it said\n%s", witness.Bound, p.log)
		return 0
	}
}

var client = &http.Client{Timeout: witness.Bound, Transport: &http.Transport{DisableKeepAlives: true}}

// get returns the status and the body at a URL; 0 for none.
func get(url string) (int, string) {
	answer, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(body)
}

// held is a backend whose requests are answered when they are let go.
func held(t *testing.T) (url string, arrived chan struct{}, let func()) {
	at, on := make(chan struct{}, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at <- struct{}{}
		select {
		case <-on:
			io.WriteString(w, "complete")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, at, func() { close(on) }
}

// ways are the ways to run the proxy in front of a backend, on ports that the system
// chooses.
func ways(t *testing.T, backend string) map[string][]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "evenkeel.yaml")
	text := fmt.Sprintf("version: 1\nlisteners: [{address: 127.0.0.1:0}]\nadmin: {address: 127.0.0.1:0}\npools: [{name: web, endpoints: [{url: %q}]}]\n", backend)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"flags": {"run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--endpoints", backend},
		"file":  {"run", "-c", file},
	}
}

// TERM lets the request in progress finish; then the process exits with 0.
func TestTermDrainsAndExitsWithZero(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		for _, way := range []string{"flags", "file"} {
			t.Run(fmt.Sprint(s, " ", way), func(t *testing.T) {
				backend, arrived, let := held(t)
				p := launch(t, ways(t, backend)[way]...).ready(t)
				bodies := make(chan string, 1)
				go func() {
					_, body := get("http://" + p.proxy)
					bodies <- body
				}()
				witness.Await(t, "request at the backend", arrived)
				if status, body := get("http://" + p.admin + "/readyz"); status != 200 {
					t.Errorf("readyz: got %d %q, want 200", status, body)
				}
				p.signal(t, s)
				witness.Eventually(t, "readyz 503", func() bool {
					status, _ := get("http://" + p.admin + "/readyz")
					return status == 503
				})
				witness.Eventually(t, "new connections refused", func() bool {
					c, err := net.Dial("tcp", p.proxy)
					if err == nil {
						c.Close()
					}
					return errors.Is(err, syscall.ECONNREFUSED)
				})
				let()
				if got := witness.Await(t, "answer", bodies); got != "complete" {
					t.Errorf("request in progress: got %q, want it complete", got)
				}
				if got := p.exit(t); got != 0 {
					t.Errorf("exit code: got %d, want 0; it said\n%s", got, p.log)
				}
			})
		}
	}
}

// A second signal does not wait.
func TestSecondSignalCuts(t *testing.T) {
	backend, arrived, _ := held(t)
	p := launch(t, ways(t, backend)["flags"]...).ready(t)
	statuses := make(chan int, 1)
	go func() {
		status, _ := get("http://" + p.proxy)
		statuses <- status
	}()
	witness.Await(t, "request at the backend", arrived)
	p.signal(t, syscall.SIGTERM)
	witness.Eventually(t, "draining", func() bool {
		status, _ := get("http://" + p.admin + "/readyz")
		return status == 503
	})
	p.signal(t, syscall.SIGTERM)
	if got := p.exit(t); got != 1 {
		t.Errorf("exit code: got %d, want 1; it said\n%s", got, p.log)
	}
	if got := witness.Await(t, "end of the request", statuses); got != 0 {
		t.Errorf("request in progress: got %d, want it cut off", got)
	}
	if !strings.HasSuffix(p.log.String(), "evenkeel: requests in progress were cut off\n") {
		t.Errorf("output: got\n%s\nwant why as the last line", p.log)
	}
}

// Whatever is wrong, the process says it in its own words.
func TestMistakesOfAProcess(t *testing.T) {
	inUse := taken(t)
	for _, tt := range []struct {
		name  string
		args  []string
		code  int
		lines int
	}{
		{"three mistakes", []string{"validate", "-c", "testdata/wrong.yaml"}, 1, 3},
		{"a port in use", []string{"run", "--endpoints", "http://127.0.0.1:1", "--listen", inUse}, 1, 1},
		{"an unknown command", []string{"rum"}, 2, 2},
		{"a file that is no file", []string{"run", "-c", "."}, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := launch(t, tt.args...)
			if got := p.exit(t); got != tt.code {
				t.Errorf("exit code: got %d, want %d", got, tt.code)
			}
			if got := strings.Count(p.log.String(), "\n"); got != tt.lines {
				t.Errorf("output: got %d lines, want %d:\n%s", got, tt.lines, p.log)
			}
		})
	}
}

func TestConfigurationFromStandardInput(t *testing.T) {
	text, err := os.Open("testdata/wrong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	c := exec.Command(binary, "validate", "-c", "-")
	c.Stdin = text
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(out), "stdin:4:15: ") {
		t.Errorf("validate -c -: got exit %d, %v, %q, want 1 and stdin:4:15", c.ProcessState.ExitCode(), err, out)
	}
}

// The demo shows what it is for: the slow endpoint gets less than its share.
func TestDemo(t *testing.T) {
	p := launch(t, "demo", "--load", "400", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	var proxy, admin string
	witness.Eventually(t, "addresses", func() bool {
		line, _, whole := strings.Cut(p.log.String(), "\n")
		if whole {
			if _, err := fmt.Sscanf(line, "evenkeel demo: the proxy on %s admin on %s", &proxy, &admin); err != nil {
				t.Fatalf("first line: got %q, %v, want both addresses", line, err)
			}
			proxy = strings.TrimSuffix(proxy, ",")
		}
		return whole
	})
	witness.Eventually(t, "ready", func() bool {
		status, _ := get("http://" + admin + "/readyz")
		return status == 200
	})
	if status, body := get("http://" + proxy); status != 200 || !strings.HasPrefix(body, "server ") {
		t.Errorf("a request: got %d %q, want the answer of a simulated server", status, body)
	}
	var last string
	witness.Eventually(t, "the slow endpoint's share below its equal share", func() bool {
		_, last = get("http://" + admin + "/api/v1/pools")
		var all struct {
			Pools []struct {
				Name, Strategy, Mode string
				Endpoints            []struct {
					URL      string
					Requests int
					Share    float64
				}
			}
		}
		if err := json.Unmarshal([]byte(last), &all); err != nil || len(all.Pools) != 1 || len(all.Pools[0].Endpoints) != 5 {
			t.Fatalf("pools: got %v in %q, want one pool of five endpoints", err, last)
		}
		requests, slow := 0, all.Pools[0].Endpoints[4]
		for _, e := range all.Pools[0].Endpoints {
			requests += e.Requests
		}
		return requests > 500 && slow.Share < 0.15
	})
	// It says how it goes, now and then.
	witness.Eventually(t, "a line of progress", func() bool { return strings.Contains(p.log.String(), "2s  ") })
	p.signal(t, syscall.SIGTERM)
	if got := p.exit(t); got != 0 {
		t.Errorf("exit code: got %d, want 0; it said\n%s", got, p.log)
	}
}
