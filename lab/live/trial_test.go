package live

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
	"github.com/evenkeel/evenkeel/lab/peer"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// A trial leaves what vegeta reads, what the servers say, and what the proxy was started
// with; and its records are joined with the servers'.
func TestLeavings(t *testing.T) {
	s, dir := small(), t.TempDir()
	var requests []record.Request
	subject := roundRobin(t, s)
	shown := new(Exposition)
	h, err := Driver{Proxy: proxy, Dir: dir, Metrics: shown}.Play(t.Context(), s, subject, 3, func(r record.Request) { requests = append(requests, r) })
	if err != nil {
		t.Fatal(err)
	}
	path := leaving(dir, s, subject, 3)
	f, err := os.Open(path + ".vegeta.gob")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decode := vegeta.DecoderFor(f)
	if decode == nil {
		t.Fatal("vegeta does not recognise its results")
	}
	var metrics vegeta.Metrics
	var first time.Time
	for i, want := range requests {
		var got vegeta.Result
		if err := decode(&got); err != nil {
			t.Fatalf("result %d: %v", i, err)
		}
		if i == 0 {
			first = got.Timestamp
		}
		if got.Seq != uint64(want.Seq) || int(got.Code) != want.Code || got.Latency != want.ResponseTime() || got.Timestamp.Sub(first) != want.Planned.Sub(requests[0].Planned) {
			t.Fatalf("result %d: got %+v, want %+v", i, got, want)
		}
		if want.Attempts != 1 {
			t.Errorf("request %d: got %d attempts, want 1", i, want.Attempts)
		}
		metrics.Add(&got)
	}
	metrics.Close()
	if metrics.Requests != 50 || metrics.Success != 1 {
		t.Errorf("vegeta counts %d requests, %v of them successes, want 50, all", metrics.Requests, metrics.Success)
	}
	if g := h.Generator; g.BeyondP50 <= 0 || g.BeyondP99 < g.BeyondP50 || g.PlannedRate != 50 || g.Busy <= 0 {
		t.Errorf("generator: got %+v", g)
	}
	rows := gunzipped(t, path+".servers.csv.gz")
	if lines := strings.Split(strings.TrimSpace(rows), "\n"); len(lines) != 51 || lines[0] != "seq,server,arrived_ns,done_ns,code" || !strings.HasPrefix(lines[50], "49,") {
		t.Errorf("what the servers say: got %d lines, the last %q, want a heading and one for each request", len(lines), lines[len(lines)-1])
	}
	for end, want := range map[string]string{".servers.prom": `lab_backend_requests_total{server="2",code="200"} 1`, ".conf": "round-robin"} {
		if text, err := os.ReadFile(path + end); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, want %q in it, got\n%s", end, err, want, text)
		}
	}
	if got := exposed(shown); got != "" {
		t.Errorf("the trial is over, and still there is\n%s", got)
	}
}

func gunzipped(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func exposed(e *Exposition) string {
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// The servers' metrics are to be seen while they run.
func TestExposition(t *testing.T) {
	f, err := startFleet(small(), 10)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	var e Exposition
	hide := e.show(f)
	for i := range f {
		if want := fmt.Sprintf(`lab_backend_busy_slots{server="%d"} 0`, i); !strings.Contains(exposed(&e), want) {
			t.Errorf("no %s in\n%s", want, exposed(&e))
		}
	}
	hide()
	if got := exposed(&e); got != "" {
		t.Errorf("hidden: got\n%s", got)
	}
	(*Exposition)(nil).show(f)()
}

func TestCalibrate(t *testing.T) {
	s, dir := small(), t.TempDir()
	s.Duration = time.Hour
	s.Faults = []scenario.Fault{{Kind: scenario.Hang}}
	c, err := Driver{Dir: dir}.Calibrate(t.Context(), s)
	if errors.Is(err, ErrUntrusted) { // which is the machine's business; that it says so is ours
		if !strings.HasPrefix(err.Error(), "not to be trusted: small without a proxy, 3 times: ") {
			t.Errorf("got %v", err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	if c.Requests != 150 || c.Generator.BeyondP50 <= 0 {
		t.Errorf("got %+v, want the 150 requests of three seconds, without the fault", c)
	}
	if err != nil {
		return
	}
	if text, err := os.ReadFile(filepath.Join(dir, "records", "small.live.calibration.json")); err != nil || !strings.Contains(string(text), `"requests": 150`) {
		t.Errorf("left: %s, %v", text, err)
	}
	s.Arrivals = scenario.Arrivals{Law: "constant", Phases: []scenario.Phase{{For: 10 * time.Second, Rate: new(float64)}, {For: time.Second, Rate: new(5.0)}}}
	c, err = Driver{}.Calibrate(t.Context(), s)
	if want := "small without a proxy: nobody arrives so early that it could be calibrated"; err != nil || c.String() != want {
		t.Errorf("nobody: got %v, %v, want %s", c, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Driver{}).Calibrate(ctx, small()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestCalibrationSays(t *testing.T) {
	c := Calibration{Scenario: "x", Requests: 3, Generator: record.Generator{BeyondP50: 250 * time.Microsecond, BeyondP99: 2 * ms, LatenessP99: 90 * time.Microsecond, Busy: 0.314}}
	const want = "x without a proxy: 0.25 ms at the median and 2.00 ms at the p99 beyond the servers' time; lateness p99 0.09 ms; processors busy for 31 %"
	if got := c.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// peers puts a program on the path that is called as another proxy and behaves as the
// commands say, with a folder of its own.
func peers(t *testing.T, name, commands string) (pid string) {
	t.Helper()
	path, pid := script(t, commands)
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), name)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	return pid
}

// asHAProxy runs our proxy with what HAProxy's configuration says.
const asHAProxy = `
listen=$(sed -n 's/^ *bind \([^ ]*\).*/\1/p' $3)
servers=$(sed -n 's/^ *server s[0-9]* \([^ ]*\).*/http:\/\/\1/p' $3 | paste -sd, -)
exec %s run --listen $listen --endpoints $servers --admin 127.0.0.1:0 --strategy round-robin 2>/dev/null`

// A trial from end to end through another proxy.
func TestPeer(t *testing.T) {
	clean := alone(t)
	pid := peers(t, "haproxy", fmt.Sprintf(asHAProxy, proxy))
	s, dir := small(), t.TempDir()
	subject, err := s.Subject("haproxy-leastconn")
	if err != nil {
		t.Fatal(err)
	}
	var requests []record.Request
	h, err := Driver{Proxy: "none", Dir: dir}.Play(t.Context(), s, subject, 3, func(r record.Request) { requests = append(requests, r) })
	if err != nil {
		t.Fatal(err)
	}
	clean()
	gone(t, pid)
	if len(requests) != 50 || slices.ContainsFunc(requests, func(r record.Request) bool { return r.Code != 200 || r.Endpoint < 0 }) {
		t.Errorf("got %d requests, want 50, all served: %v", len(requests), requests)
	}
	if len(h.Decisions) != 0 || h.Inside != nil || h.Generator == nil {
		t.Errorf("got %+v, want no decisions: it does not tell", h)
	}
	if text, err := os.ReadFile(leaving(dir, s, subject, 3) + ".conf"); err != nil || !strings.Contains(string(text), "balance leastconn") {
		t.Errorf("left: %v\n%s", err, text)
	}
}

func TestPeerThatFails(t *testing.T) {
	for _, c := range []struct {
		name, commands string
		within         time.Duration
		want           string
	}{
		{"it cannot have the port", "echo 'cannot bind' >&2; exit 1", witness.Bound, "haproxy-leastconn ended before it was ready (exit status 1): cannot bind"},
		{"it never listens", "exec sleep 1000", time.Second, "haproxy-leastconn was not ready within 1s: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			clean := alone(t)
			pid := peers(t, "haproxy", c.commands)
			subject, err := small().Subject("haproxy-leastconn")
			if err != nil {
				t.Fatal(err)
			}
			p, err := startSubject(t.Context(), c.within, "none", subject, []string{"http://127.0.0.1:1"})
			failed(t, p, err, c.within, c.want)
			clean()
			goneIfRun(t, pid)
		})
	}
	t.Run("it dies of the signal to end", func(t *testing.T) {
		clean := alone(t)
		worker := strings.Replace(fmt.Sprintf(asHAProxy, proxy), "exec ", "", 1) + " &\n"
		pid := peers(t, "haproxy", worker+"echo $! >>$(dirname $0)/pid; trap - TERM; wait")
		subject, err := small().Subject("haproxy-leastconn")
		if err != nil {
			t.Fatal(err)
		}
		p, err := startSubject(t.Context(), witness.Bound, "none", subject, []string{"http://127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.stop(); err != nil {
			t.Errorf("got %v, want it ended as asked", err)
		}
		clean()
		gone(t, pid)
	})
}

// Other proxies are told what the pool's policies say that they have, too.
func TestPeerSettings(t *testing.T) {
	p := small().Proxy
	p.Timeouts = config.Timeouts{Connect: 1, ResponseHeader: 2, Total: 3}
	p.Retries.Attempts = 4
	p.Breaker.ConsecutiveFailures, p.Breaker.OpenFor = 5, 6
	want := peer.Settings{Connect: 1, Header: 2, Total: 3, Attempts: 4, Breaker: &peer.Breaker{Failures: 5, OpenFor: 6}}
	if diff := cmp.Diff(want, peerSettings(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Breaker.Enabled = false
	p.Health = &config.Health{Path: "/x", Interval: 7, Timeout: 8, Rise: 9, Fall: 10}
	want.Breaker, want.Health = nil, &peer.Health{Path: "/x", Interval: 7, Timeout: 8, Rise: 9, Fall: 10}
	if diff := cmp.Diff(want, peerSettings(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who is interrupted does not wait for answers that are due.
func TestAttackInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-over
	}))
	defer s.Close()
	defer close(over)
	requests, err := attack(ctx, s.URL, "test", make([]core.Instant, 3), time.Hour, &way{seen: &meter{}}, func(time.Time) {})
	if !errors.Is(err, context.Canceled) || slices.ContainsFunc(requests, func(r record.Request) bool { return r.Code != 0 }) {
		t.Errorf("got %v, %v, want it cancelled, and no answers", requests, err)
	}
}
