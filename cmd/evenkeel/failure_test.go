//go:build conformance

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/witness"
)

// An endpoint is this program again, told so by its environment: a process that can be
// killed and stopped.
const endpointVariable = "EVENKEEL_TEST_ENDPOINT"

func init() {
	if os.Getenv(endpointVariable) == "" {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "an answer")
	}))
}

// startEndpoint starts an endpoint that is a process of its own.
func startEndpoint(t *testing.T) (url string, process *os.Process) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), endpointVariable+"=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), c.Process
}

// front starts the proxy before endpoints, with more settings of the pool.
func front(t *testing.T, settings string, urls ...string) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "evenkeel.yaml")
	text := fmt.Sprintf("version: 1\nlisteners: [{address: 127.0.0.1:0}]\nadmin: {address: 127.0.0.1:0}\npools:\n- name: web\n  endpoints: [%s]\n%s\n", strings.Join(urls, ", "), settings)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return launch(t, "run", "-c", file).ready(t)
}

// result of one request of a load: when it was due, how long it took from there on, and
// what came of it.
type ended struct {
	due, took time.Duration
	status    int // 0 for none
	kind      int // what the load's maker calls it
}

// press sends requests at a steady rate, whether or not they are answered, and returns
// what came of them. next makes the i-th, of some kind.
func press(rate int, d time.Duration, next func(i int) (*http.Request, int)) []ended {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}, Timeout: witness.Bound}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all []ended
	var under sync.WaitGroup
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; ; {
		now := <-tick.C
		for ; ; i++ {
			due := time.Duration(i) * time.Second / time.Duration(rate)
			if due >= d {
				under.Wait()
				return all
			}
			if due > now.Sub(began) {
				break
			}
			r, kind := next(i)
			under.Go(func() {
				one := ended{due: due, kind: kind}
				if answer, err := client.Do(r); err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					if one.status = answer.StatusCode; err != nil {
						one.status = 0
					}
				}
				one.took = time.Since(began) - due
				mu.Lock()
				defer mu.Unlock()
				all = append(all, one)
			})
		}
	}
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// quantile is of the times that those took which were answered well.
func quantile(all []ended, q float64) time.Duration {
	var times []time.Duration
	for _, e := range all {
		if e.status == 200 {
			times = append(times, e.took)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))]
}

// value is the sum of the series of a metric whose labels include the given text.
func value(t *testing.T, p *process, metric, labels string) (sum float64) {
	t.Helper()
	_, text := get("http://" + p.admin + "/metrics")
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(name, "{"); base == metric && strings.Contains(name, labels) {
			var v float64
			fmt.Sscan(rest, &v)
			sum += v
		}
	}
	return sum
}

// One of four endpoints is killed under 2,000 requests a second. Requests that are safe to
// repeat do not notice; of the others, those are lost that it had begun with.
func TestEndpointKilled(t *testing.T) {
	var urls []string
	var victim *os.Process
	for range 4 {
		url, process := startEndpoint(t)
		urls, victim = append(urls, url), process
	}
	p := front(t, "", urls...)
	killed := time.AfterFunc(2*time.Second, func() { victim.Kill() })
	defer killed.Stop()
	all := press(2000, 5*time.Second, func(i int) (*http.Request, int) {
		if i%10 == 0 {
			return request(t, "POST", "http://"+p.proxy, strings.NewReader("a body")), 1
		}
		return request(t, "GET", "http://"+p.proxy, nil), 0
	})
	var lost, of [2]int
	for _, e := range all {
		of[e.kind]++
		if e.status != 200 {
			lost[e.kind]++
		}
	}
	t.Logf("GET: %d of %d lost; POST: %d of %d lost; p99 %v; retries %v", lost[0], of[0], lost[1], of[1], quantile(all, 0.99).Round(100*time.Microsecond), value(t, p, "evenkeel_retries_total", `result="sent"`))
	if lost[0] > 0 {
		t.Errorf("GET: %d lost, want none", lost[0])
	}
	if lost[1] > 20 {
		t.Errorf("POST: %d lost, want no more than may be under way at one endpoint", lost[1])
	}
}

// Half of the clients leave before they are answered. That is held against no endpoint,
// and leaves nothing behind.
func TestClientsThatAbort(t *testing.T) {
	endpoint := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait := time.NewTimer(20 * time.Millisecond)
			defer wait.Stop()
			select {
			case <-wait.C:
				io.WriteString(w, "an answer")
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	p := front(t, "", endpoint(), endpoint(), endpoint())
	var cancels []context.CancelFunc
	defer func() {
		for _, cancel := range cancels {
			cancel()
		}
	}()
	all := press(1000, 5*time.Second, func(i int) (*http.Request, int) {
		r := request(t, "GET", "http://"+p.proxy, nil)
		if i%2 == 0 {
			return r, 0
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(18)+1)*time.Millisecond)
		cancels = append(cancels, cancel)
		return r.WithContext(ctx), 1
	})
	patient, left := 0, 0
	for _, e := range all {
		switch {
		case e.kind == 1 && e.status == 0:
			left++
		case e.kind == 0 && e.status == 200:
			patient++
		case e.kind == 0:
			t.Errorf("a patient client got %d", e.status)
		}
	}
	witness.Eventually(t, "nothing is pending", func() bool { return value(t, p, "evenkeel_pending_attempts", "") == 0 })
	turns := value(t, p, "evenkeel_breaker_transitions_total", "")
	t.Logf("%d left, %d stayed and were answered; %v attempts abandoned; %v turns of breakers", left, patient, value(t, p, "evenkeel_attempts_total", `outcome="abandoned"`), turns)
	if turns != 0 || left < len(all)/3 {
		t.Errorf("got %v turns of breakers with %d that left, want none with half of %d", turns, left, len(all))
	}
}

// One of four endpoints stops answering, its connections open. Whoever waits for it is
// answered by another, no later than an attempt may take, and it is out of use long before.
func TestHangingEndpoint(t *testing.T) {
	const attempt, stopAt = 2 * time.Second, 2 * time.Second
	var urls []string
	var victim *os.Process
	for range 4 {
		url, process := startEndpoint(t)
		urls, victim = append(urls, url), process
	}
	p := front(t, fmt.Sprintf("  timeouts: {response_header: %v}", attempt), urls...)
	stopped := time.AfterFunc(stopAt, func() { victim.Signal(syscall.SIGSTOP) })
	defer stopped.Stop()
	all := press(500, 6*time.Second, func(int) (*http.Request, int) { return request(t, "GET", "http://"+p.proxy, nil), 0 })
	hung, lost, last, longest := 0, 0, time.Duration(0), time.Duration(0)
	for _, e := range all {
		longest = max(longest, e.took)
		if e.status != 200 {
			lost++
		}
		if e.status != 200 || e.took >= attempt/2 {
			hung++
			last = max(last, e.due-stopAt)
		}
	}
	t.Logf("%d of %d hung, the last of them %v after the stop; %d lost; longest wait %v", hung, len(all), last.Round(time.Millisecond), lost, longest.Round(time.Millisecond))
	if lost > 0 {
		t.Errorf("%d lost, want each answered by another endpoint", lost)
	}
	if longest > attempt+time.Second/2 {
		t.Errorf("longest wait: got %v, want about the %v of an attempt", longest, attempt)
	}
	if last >= attempt {
		t.Errorf("the last request to the hanging endpoint: %v after it stopped, want before the first of them was answered, %v", last, attempt)
	}
}

// slowhttptest's three attacks with 500 connections, and what the others notice of them.
func TestSlowAttacks(t *testing.T) {
	program, err := exec.LookPath("slowhttptest")
	if err != nil {
		t.Fatalf("this needs slowhttptest: apt-get install slowhttptest (%v)", err)
	}
	large := strings.Repeat("x", 1<<20)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			io.WriteString(w, large)
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "an answer")
	}))
	defer endpoint.Close()
	p := front(t, "", endpoint.URL)
	others := func(d time.Duration) []ended {
		return press(300, d, func(int) (*http.Request, int) { return request(t, "GET", "http://"+p.proxy, nil), 0 })
	}
	const lasts = 15
	calm := others(lasts / 2 * time.Second)
	for _, attack := range []struct {
		name string
		args []string
	}{
		{"none", nil},
		{"slow heads", []string{"-H", "-i", "3", "-u", "http://" + p.proxy + "/"}},
		{"slow bodies", []string{"-B", "-i", "3", "-s", "8192", "-u", "http://" + p.proxy + "/"}},
		{"slow readers", []string{"-X", "-n", "3", "-w", "512", "-y", "1024", "-z", "32", "-k", "1", "-u", "http://" + p.proxy + "/large"}},
	} {
		all, most := calm, int64(0)
		if attack.args != nil {
			c := exec.Command(program, append(attack.args, "-c", "500", "-r", "100", "-l", fmt.Sprint(lasts), "-p", "5")...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var peak atomic.Int64
			ctx, end := context.WithCancel(t.Context())
			var watch sync.WaitGroup
			watch.Go(func() {
				tick := time.NewTicker(250 * time.Millisecond)
				defer tick.Stop()
				for ctx.Err() == nil {
					<-tick.C
					peak.Store(max(peak.Load(), int64(value(t, p, "evenkeel_connections", ""))))
				}
			})
			all = others(lasts * time.Second)
			end()
			watch.Wait()
			c.Wait()
			most = peak.Load()
		}
		lost := 0
		for _, e := range all {
			if e.status != 200 {
				lost++
			}
		}
		t.Logf("%-12s  %3d connections at most; others: %d of %d lost, p50 %v, p99 %v", attack.name, most, lost, len(all),
			quantile(all, 0.5).Round(10*time.Microsecond), quantile(all, 0.99).Round(10*time.Microsecond))
		if lost > 0 {
			t.Errorf("%s: %d requests of others lost, want none", attack.name, lost)
		}
		if attack.args != nil && most < 400 {
			t.Errorf("%s: got %d connections at most, want the attack to have 500", attack.name, most)
		}
	}
	witness.Eventually(t, "nothing is pending", func() bool { return value(t, p, "evenkeel_pending_attempts", "") == 0 })
}
