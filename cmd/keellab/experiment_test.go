package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/sim"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// Requests are kept of the first blocks only, as many as asked for; the figures are
// those of all.
func TestRecords(t *testing.T) {
	dir := scenarios(t)
	var figures string
	for n, want := range map[string]int{"0": 0, "1": 1, "2": 2, "9": 2} {
		out := t.TempDir()
		must(t, "sim", "--scenarios", dir, "tiny", "--subjects", "random", "--seeds", "2", "--seed", "4", "--records", n, "--out", out)
		files, err := filepath.Glob(filepath.Join(out, record.Folder, "*"+record.Extension))
		if err != nil || len(files) != want {
			t.Errorf("--records %s: got %v, want %d", n, files, want)
		}
		for _, path := range files {
			_, kept := recorded(t, path)
			if last := kept[len(kept)-1]; last.Seq != int64(len(kept)-1) {
				t.Errorf("--records %s: the last of %d requests is %d", n, len(kept), last.Seq)
			}
		}
		if summary := contents(t, out)["summary.json"]; figures == "" {
			figures = summary
		} else if summary != figures {
			t.Errorf("--records %s: the summary differs", n)
		}
	}
}

// interrupting is the simulator, interrupted after so many trials.
type interrupting struct {
	sim.Driver
	trials    int
	interrupt func()
}

func (d *interrupting) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	if d.trials == 0 {
		d.interrupt()
	}
	d.trials--
	return d.Driver.Play(ctx, s, subject, seed, each)
}

// What was played before an interruption is kept, and can be looked at; what was to be
// played again and was not is gone.
func TestInterruptedInBetween(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := t.TempDir()
	must(t, "sim", "--scenarios", scenarios(t), "tiny", "--seeds", "1", "--out", out)
	e := experiment{
		call:   &cli.Call{Context: ctx, Stdout: io.Discard, Stderr: io.Discard},
		driver: &interrupting{trials: 3, interrupt: cancel}, parallel: 1, blocks: 2, out: out, extend: true,
		subjects: map[string][]scenario.Subject{},
	}
	for _, name := range []string{"short", "tiny"} {
		s, err := scenario.Load(scenarios(t), name, scenario.Sim)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range s.Subjects {
			subject, err := s.Subject(text)
			if err != nil {
				t.Fatal(err)
			}
			e.subjects[name] = append(e.subjects[name], subject)
		}
		e.scenarios = append(e.scenarios, s)
	}
	if err := e.run(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it interrupted", err)
	}
	must(t, "report", out)
	trials := 0
	summary := summaryOf(t, out)
	for _, subject := range summary.Scenarios[0].Subjects {
		trials += len(subject.Trials)
	}
	if len(summary.Scenarios) != 1 || summary.Scenarios[0].Scenario != "short" || trials != 3 {
		t.Errorf("%v: want the three trials that were played", subjectsOf(summary))
	}
}

// late is the simulator, found void at the first try.
type late struct {
	sim.Driver
	tries int
}

func (d *late) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	h, err := d.Driver.Play(ctx, s, subject, seed, each)
	if d.tries++; d.tries == 1 {
		h.Void = "late"
	}
	return h, err
}

// A void try leaves nothing behind, neither in the figures nor among the requests.
func TestVoidTry(t *testing.T) {
	j := tiny(t)
	play := func(d trial.Driver) (stat.Digest, int) {
		e := experiment{driver: d, records: 1, room: mostKept, out: t.TempDir()}
		digest, err := e.playOne(t.Context(), j, newProgress(io.Discard, "sim", 1))
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(e.out, record.Folder, "*"+record.Extension))
		if err != nil || len(files) != 1 {
			t.Fatalf("records %v, %v, want one", files, err)
		}
		_, kept := recorded(t, files[0])
		return digest, len(kept)
	}
	want, requests := play(sim.Driver{})
	d := &late{}
	got, again := play(d)
	if diff := cmp.Diff(want, got); diff != "" || requests != again || d.tries != 2 {
		t.Errorf("%d requests after %d tries, want %d; digest (-one try +two):\n%s", again, d.tries, requests, diff)
	}
}

// A trial whose number of requests is not known beforehand may have too many to keep.
func TestTooManyToKeep(t *testing.T) {
	j := tiny(t)
	for _, c := range []struct {
		records, room int
		want          string
	}{{1, 100, ""}, {1, 30, "tiny random, block 1: more than 30 requests: too many to be kept (--records 0 keeps none)"}, {0, 30, ""}} {
		e := experiment{driver: sim.Driver{}, records: c.records, room: c.room, out: t.TempDir()}
		if _, err := e.playOne(t.Context(), j, newProgress(io.Discard, "sim", 1)); err != nil && err.Error() != c.want || err == nil && c.want != "" {
			t.Errorf("--records %d, room for %d: got %v, want %q", c.records, c.room, err, c.want)
		}
	}
}
