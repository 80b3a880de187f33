package record_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
)

// sample makes a trial of n requests, 2,400 a second over six endpoints.
func sample(n int) *record.Trial {
	rng := rand.New(rand.NewPCG(1, 2))
	t := &record.Trial{Header: record.Header{
		Version: record.Version, Scenario: "one-slow", Driver: record.Sim, Subject: "p2c-ewma{decay=5s}+aimd",
		Seed: 7, Block: 2, Order: 1,
		Duration: 60 * time.Second, WarmUp: 5 * time.Second, ClientTimeout: 5 * time.Second,
		Objective: record.Objective{Latency: 100 * time.Millisecond, Share: 0.99},
		Endpoints: []string{"s0", "s1", "s2", "s3", "s4", "s5"},
		Faults:    []record.Fault{{Kind: "slow", Servers: []int{0}, From: 10e9, To: 40e9, Note: "5x slower"}},
		Decisions: []record.Decisions{{Mode: "adaptive", Count: 9}, {Mode: "fallback", Reason: "signal-thin", Count: 1}},
		Generator: &record.Generator{LatenessP99: time.Millisecond, MeanInFlight: 3.5},
	}}
	at := core.Instant(0)
	for i := range n {
		at = at.Add(time.Duration(rng.ExpFloat64() / 2400 * 1e9))
		r := record.Request{
			Seq: int64(i), Planned: at, Sent: at + 1000, Endpoint: rng.IntN(6), Attempts: 1, Code: 200,
			Done: at + 1000 + core.Instant(rng.ExpFloat64()*1e7),
		}
		if rng.IntN(100) == 0 {
			r.Endpoint, r.Code, r.Attempts = -1, 0, 3
		}
		t.Requests = append(t.Requests, r)
	}
	return t
}

func encode(t testing.TB, trial *record.Trial) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := record.Write(&b, trial); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads a whole trial.
func read(data []byte) (*record.Trial, error) {
	var t record.Trial
	var err error
	t.Header, err = record.Read(bytes.NewReader(data), func(r record.Request) { t.Requests = append(t.Requests, r) })
	return &t, err
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 5000} {
		want := sample(n)
		data := encode(t, want)
		if again := encode(t, sample(n)); !bytes.Equal(data, again) {
			t.Errorf("%d requests: the same trial gave different bytes", n)
		}
		got, err := read(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d requests (-wrote +read):\n%s", n, diff)
		}
	}
}

// A header may be longer than any buffer: thousands of endpoints have names.
func TestLongHeader(t *testing.T) {
	want := sample(2)
	for range 20_000 {
		want.Header.Endpoints = append(want.Header.Endpoints, "http://127.0.0.1:9001")
	}
	got, err := read(encode(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-wrote +read):\n%s", diff)
	}
}

// The text inside is part of the format: other tools read it.
func TestText(t *testing.T) {
	trial := sample(0)
	trial.Header = record.Header{Scenario: "s", Driver: "sim", Subject: "<a&b>"}
	trial.Header.Endpoints = []string{"e"}
	trial.Requests = []record.Request{
		{Seq: 0, Planned: 1, Sent: 0, Done: 3, Endpoint: -1, Attempts: 0, Code: 0},
		{Seq: 4, Planned: 1e9, Sent: 1e9 + 1, Done: 2e9, Endpoint: 0, Attempts: 2, Code: 503},
	}
	zr, err := gzip.NewReader(bytes.NewReader(encode(t, trial)))
	if err != nil {
		t.Fatal(err)
	}
	if zr.Name != "" || !zr.ModTime.IsZero() {
		t.Errorf("gzip header carries %q, %v", zr.Name, zr.ModTime)
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	head, rows, _ := strings.Cut(string(text), "\n")
	if !strings.HasPrefix(head, `# {"version":1,"scenario":"s","driver":"sim","subject":`) {
		t.Errorf("header line: %s", head)
	}
	want := "seq,planned_ns,sent_ns,done_ns,endpoint,attempts,code\n0,1,0,3,-1,0,0\n4,1000000000,1000000001,2000000000,0,2,503\n"
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func zip(text string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	zw.Write([]byte(text))
	zw.Close()
	return b.Bytes()
}

func TestReadErrors(t *testing.T) {
	const (
		head = `# {"version":1,"endpoints":["a","b"]}` + "\n"
		cols = "seq,planned_ns,sent_ns,done_ns,endpoint,attempts,code\n"
		row  = "0,1,2,3,0,1,200\n"
	)
	whole := encode(t, sample(100))
	tests := []struct {
		name string
		data []byte
		line int
		want string
	}{
		{"empty", nil, 0, "a gzip'ed record"},
		{"not compressed", []byte(head + cols + row), 0, "a gzip'ed record"},
		{"nothing inside", zip(""), 1, `"# " and the header`},
		{"no header", zip(cols + row), 1, `"# " and the header`},
		{"header not JSON", zip("# {\n"), 1, "the header as JSON"},
		{"trailing text", zip("# {\"version\":1} 2\n" + cols), 1, "the header as JSON"},
		{"other version", zip(`# {"version":2,"new":1}` + "\n" + cols), 1, "version 1: got 2"},
		{"unknown field", zip(`# {"version":1,"scenari":"x"}` + "\n" + cols), 1, "the header as JSON"},
		{"no columns", zip(head), 2, "seq,planned_ns"},
		{"other columns", zip(head + "seq\n" + row), 2, "seq,planned_ns"},
		{"too few fields", zip(head + cols + row + "1,2,3\n"), 4, "got 3 fields"},
		{"too many fields", zip(head + cols + row + "1,2,3,4,0,1,200,9\n"), 4, "got 8 fields"},
		{"empty line", zip(head + cols + row + "\n"), 4, "got 1 fields"},
		{"not a number", zip(head + cols + "0,1,x,3,0,1,200\n"), 3, `got "x" for a whole number`},
		{"leading zero", zip(head + cols + "0,01,2,3,0,1,200\n"), 3, `got "01"`},
		{"too large", zip(head + cols + "0,1,2,9223372036854775808,0,1,200\n"), 3, "for a whole number"},
		{"seq falls", zip(head + cols + row + row), 4, "seq above 0"},
		{"planned before the start", zip(head + cols + "0,-1,2,3,0,1,200\n"), 3, "planned_ns of at least 0"},
		{"done before planned", zip(head + cols + "0,5,2,3,0,1,200\n"), 3, "done_ns of at least planned_ns"},
		{"no such endpoint", zip(head + cols + "0,1,2,3,2,1,200\n"), 3, "endpoint from -1 to 1"},
		{"no newline", zip(head + cols + "0,1,2,3,0,1,200"), 3, "ends in a newline"},
		{"code", zip(head + cols + "0,1,2,3,0,1,1000\n"), 3, "code from 0 to 999"},
		{"truncated", whole[:len(whole)-20], 0, "expected a row: unexpected EOF"},
		{"bad checksum", append(bytes.Clone(whole[:len(whole)-8]), 0, 0, 0, 0, 0, 0, 0, 0), 0, "invalid checksum"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(tt.data)
			e, ok := errors.AsType[*record.Error](err)
			if !ok {
				t.Fatalf("error %v (%T), want *record.Error", err, err)
			}
			if tt.line != 0 && e.Line != tt.line {
				t.Errorf("line %d, want %d (%v)", e.Line, tt.line, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

func TestWriteRefusesWhatReadRefuses(t *testing.T) {
	for _, r := range []record.Request{
		{Seq: -1}, {Endpoint: 6}, {Endpoint: -2}, {Attempts: -1}, {Code: -1}, {Planned: 2, Done: 1},
	} {
		trial := sample(0)
		trial.Requests = []record.Request{r}
		if err := record.Write(io.Discard, trial); err == nil {
			t.Errorf("%+v was written", r)
		}
	}
}

func TestDir(t *testing.T) {
	dir := t.TempDir()
	if err := record.Remove(dir, "a", "sim"); err != nil {
		t.Errorf("Remove in a folder without records: %v", err)
	}
	write := func(scenario, driver, subject string, block int) string {
		t.Helper()
		trial := sample(3)
		h := &trial.Header
		h.Scenario, h.Driver, h.Subject, h.Block = scenario, driver, subject, block
		path, err := record.WriteFile(dir, trial)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("a", "sim", "p2c-ewma{decay=1.5s}+aimd", 0)
	if want := filepath.Join(dir, "records", "a.sim.p2c-ewma_7bdecay_3d1_2e5s_7d_2baimd.7.b0.csv.gz"); path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	write("a", "sim", "y", 0)
	write("a", "sim", "y", 0) // replaces
	write("a", "sim", "y", 1)
	write("a", "live", "y", 0)
	write("a.sim", "sim", "y", 0)
	write("ab", "sim", "y", 0)
	os.WriteFile(filepath.Join(dir, "records", "a.sim.digests.json.gz"), []byte("not a record"), 0o644)

	n := 0
	if h, err := record.ReadFile(path, func(record.Request) { n++ }); err != nil || n != 3 || h.Scenario != "a" {
		t.Errorf("read back: %+v and %d requests, %v", h, n, err)
	}
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	if _, err := record.ReadFile(path, func(record.Request) {}); err == nil || !strings.Contains(err.Error(), path+":") {
		t.Errorf("error %v does not name %s", err, path)
	}

	if err := record.Remove(dir, "a", "sim"); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Join(dir, "records"))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range files {
		left = append(left, f.Name())
	}
	want := []string{"a.live.y.7.b0.csv.gz", "a.sim.digests.json.gz", "a_2esim.sim.y.7.b0.csv.gz", "ab.sim.y.7.b0.csv.gz"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	trial := sample(1)
	trial.Requests[0].Endpoint = 99
	if _, err := record.WriteFile(dir, trial); err == nil {
		t.Fatal("a broken trial was written")
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "records")); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestDecisionsOf(t *testing.T) {
	var counts [core.Modes][core.Reasons]uint64
	if got := record.DecisionsOf(counts); got == nil || len(got) != 0 {
		t.Errorf("of none: %#v, want an empty list", got)
	}
	counts[core.Adaptive][core.ReasonNone] = 7
	counts[core.Panic][core.FewReady] = 2
	want := []record.Decisions{{Mode: "adaptive", Reason: "none", Count: 7}, {Mode: "panic", Reason: "few-ready", Count: 2}}
	if diff := cmp.Diff(want, record.DecisionsOf(counts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSafe(t *testing.T) {
	long := strings.Repeat("a", 300)
	names := []string{"a", "A", "_41", "a.b", "a_2eb", "a,b", "a+b", "a/b", "é", "", "..", long, long + "a",
		long[:72], long[:73], "p2c-ewma{decay=5s}"}
	seen := map[string]string{}
	for _, n := range names {
		s := record.Safe(n)
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q are both %q", n, other, s)
		}
		seen[s] = n
		if len(s) > 72 || strings.ContainsAny(s, "./\\{}=,+ ") || s != strings.ToLower(s) {
			t.Errorf("%q became %q", n, s)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`# {"version":1,"endpoints":["a"]}` + "\nseq,planned_ns,sent_ns,done_ns,endpoint,attempts,code\n0,1,2,3,0,1,200\n"))
	f.Add([]byte("# {}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		trial, err := read(zip(string(text)))
		if err != nil {
			if _, ok := errors.AsType[*record.Error](err); !ok {
				t.Fatalf("error %v (%T), want *record.Error", err, err)
			}
			return
		}
		again, err := read(encode(t, trial))
		if err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		if diff := cmp.Diff(trial, again); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	trial := sample(144_000)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		var c counter
		if err := record.Write(&c, trial); err != nil {
			b.Fatal(err)
		}
		size = c.n
	}
	b.ReportMetric(float64(size)/144_000, "bytes/request")
}

func BenchmarkRead(b *testing.B) {
	data := encode(b, sample(144_000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.Read(bytes.NewReader(data), func(record.Request) {}); err != nil {
			b.Fatal(err)
		}
	}
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }
