package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// acting is a live driver that plays what the simulator does, and says first what it was
// given to play.
type acting struct {
	interrupting
	played []string
}

func (d *acting) Name() string { return record.Live }

func (d *acting) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	h, err := d.interrupting.Play(ctx, s, subject, seed, each)
	if err == nil {
		d.played = append(d.played, subject.Name)
		h.Generator = new(record.Generator)
	}
	return h, err
}

// stage is an experiment with the short scenario, in so many blocks.
func stage(t *testing.T, ctx context.Context, out string, blocks int, d trial.Driver) (*experiment, *bytes.Buffer) {
	t.Helper()
	said := new(bytes.Buffer)
	s, err := scenario.Load(scenarios(t), "short", scenario.Sim)
	if err != nil {
		t.Fatal(err)
	}
	e := &experiment{
		call:   &cli.Call{Context: ctx, Stdout: said, Stderr: said},
		driver: d, parallel: 1, blocks: blocks, records: blocks, room: mostKept, out: out,
		scenarios: []*scenario.Scenario{s}, subjects: map[string][]scenario.Subject{},
	}
	for _, text := range s.Subjects {
		subject, err := s.Subject(text)
		if err != nil {
			t.Fatal(err)
		}
		e.subjects["short"] = append(e.subjects["short"], subject)
	}
	return e, said
}

// An interrupted experiment that is resumed ends as if it had never been interrupted, and
// plays nothing twice.
func TestResume(t *testing.T) {
	whole, out := t.TempDir(), t.TempDir()
	e, _ := stage(t, t.Context(), whole, 3, &acting{interrupting: interrupting{trials: -1}})
	if err := e.run(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := &acting{interrupting: interrupting{trials: 3, interrupt: cancel}}
	e, said := stage(t, ctx, out, 3, first)
	if err := e.run(); !errors.Is(err, context.Canceled) || !strings.Contains(said.String(), "with --resume goes on") {
		t.Fatalf("got %v, want it interrupted, said\n%s", err, said)
	}
	if digests, err := stat.ReadDigests(stat.DigestPath(out, "short", record.Live)); err != nil || len(digests) != 3 {
		t.Fatalf("got %d digests, %v, want the three trials that were played", len(digests), err)
	}
	second := &acting{interrupting: interrupting{trials: -1}}
	e, said = stage(t, t.Context(), out, 3, second)
	e.resume = true
	if err := e.run(); err != nil {
		t.Fatal(err)
	}
	if len(first.played) != 3 || len(second.played) != 3 || !strings.Contains(said.String(), "live: resumed: 3 trials played before\n") {
		t.Errorf("played %v, then %v, want three each; said\n%s", first.played, second.played, said)
	}
	same(t, "resumed", contents(t, whole), contents(t, out))
	// Once more there is nothing left to play.
	third := &acting{}
	if e, _ = stage(t, t.Context(), out, 3, third); true {
		e.resume = true
	}
	if err := e.run(); err != nil || third.played != nil {
		t.Errorf("played %v, %v, want nothing", third.played, err)
	}
	same(t, "resumed again", contents(t, whole), contents(t, out))
}

// What cannot be gone on with is said in a line, and left alone.
func TestResumeRefused(t *testing.T) {
	out := t.TempDir()
	play := func(blocks int, change func(*experiment)) error {
		e, _ := stage(t, t.Context(), out, blocks, &acting{interrupting: interrupting{trials: -1}})
		e.resume = true
		change(e)
		return e.run()
	}
	if err := play(2, func(*experiment) {}); err != nil {
		t.Fatalf("nothing to resume: %v", err)
	}
	before := contents(t, out)
	path := stat.DigestPath(out, "short", record.Live)
	for name, c := range map[string]struct {
		blocks int
		change func(*experiment)
		want   string
	}{
		"another file": {2, func(e *experiment) { e.scenarios[0].Text = append(e.scenarios[0].Text, '\n') },
			path + ": short has changed since: play it anew with both drivers, or into another folder"},
		"fewer blocks":   {1, func(*experiment) {}, path + " has round-robin with seed "},
		"another seed":   {2, func(e *experiment) { e.seed = new(uint64) }, path + " has round-robin with seed 1 in block 1, which this command would not play: expected the command that was interrupted"},
		"other subjects": {2, func(e *experiment) { e.subjects["short"] = e.subjects["short"][:1] }, path + " has p2c-ewma with seed 1 in block 1"},
	} {
		err := play(c.blocks, c.change)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		after := contents(t, out)
		for file, text := range after {
			if text != before[file] {
				t.Errorf("%s: %s was touched", name, file)
			}
		}
	}
	if err := os.WriteFile(path, []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := play(2, func(*experiment) {}); err == nil || !strings.HasPrefix(err.Error(), "stat: "+path+": expected gzip'ed digests: ") {
		t.Errorf("broken digests: got %v", err)
	}
}

// A void trial is played again by a run that is resumed.
func TestResumePlaysVoidAgain(t *testing.T) {
	out := t.TempDir()
	e, _ := stage(t, t.Context(), out, 1, &voiding{})
	if err := e.run(); err == nil || !strings.HasPrefix(err.Error(), "not to be trusted: ") {
		t.Fatalf("got %v, want it not to be trusted", err)
	}
	d := &acting{interrupting: interrupting{trials: -1}}
	e, _ = stage(t, t.Context(), out, 1, d)
	e.resume = true
	if err := e.run(); err != nil || len(d.played) != 2 {
		t.Errorf("played %v, %v, want both again", d.played, err)
	}
}

// voiding is a live driver of which nothing can be trusted.
type voiding struct{ acting }

func (d *voiding) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	d.trials = -1
	h, err := d.acting.Play(ctx, s, subject, seed, each)
	h.Void = "late"
	return h, err
}

// dawdling is a live driver during whose trial number so and so the deadline comes.
type dawdling struct {
	acting
	deadline context.CancelCauseFunc
}

func (d *dawdling) Play(ctx context.Context, s *scenario.Scenario, subject scenario.Subject, seed uint64, each func(record.Request)) (record.Header, error) {
	if d.trials--; d.trials < 0 {
		d.deadline(errDeadline)
		return record.Header{}, ctx.Err()
	}
	h, err := d.Driver.Play(ctx, s, subject, seed, each)
	h.Generator = new(record.Generator)
	return h, err
}

// The deadline ends an experiment with what is decided until then: whole blocks count.
func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		trials, blocks int
		want           string
	}{
		{5, 2, "\nstopped at the deadline of 1h0m0s, after 2 of 9 blocks, UNDECIDED: short\n"},
		{13, 6, "\nstopped at the deadline of 1h0m0s, after 6 of 9 blocks: short\n"},
	} {
		out := t.TempDir()
		ctx, cancel := context.WithCancelCause(t.Context())
		d := &dawdling{deadline: cancel}
		d.trials = c.trials
		e, said := stage(t, ctx, out, 9, d)
		e.within = time.Hour
		if err := e.run(); err != nil {
			t.Errorf("%d trials: %v", c.trials, err)
			continue
		}
		if got := said.String(); !strings.Contains(got, c.want) || !strings.Contains(got, "stopping rule: 9 blocks; a void trial is played up to 3 times; in any case 1h0m0s\n") {
			t.Errorf("%d trials: said\n%s\nwant %s", c.trials, got, c.want)
		}
		for _, subject := range summaryOf(t, out).Scenarios[0].Subjects {
			if len(subject.Trials) != c.blocks {
				t.Errorf("%d trials: %d blocks of %s, want %d", c.trials, len(subject.Trials), subject.Name, c.blocks)
			}
		}
	}
	out := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	e, _ := stage(t, ctx, out, 9, &dawdling{deadline: cancel})
	e.within = time.Hour
	if err := e.run(); err == nil || err.Error() != "UNDECIDED: the deadline of 1h0m0s came before the first block was played" {
		t.Errorf("nothing played: got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(out, record.Folder, "*.digests*")); left != nil {
		t.Errorf("nothing played: left %v", left)
	}
}

// A deadline is a time.
func TestDeadlineInTime(t *testing.T) {
	e, _ := stage(t, t.Context(), t.TempDir(), 9, &waiting{})
	e.within = time.Millisecond
	if err := e.run(); err == nil || !strings.HasPrefix(err.Error(), "UNDECIDED: ") {
		t.Errorf("got %v, want it undecided", err)
	}
}

// waiting is a driver whose trials do not end by themselves.
type waiting struct{ acting }

func (*waiting) Play(ctx context.Context, _ *scenario.Scenario, _ scenario.Subject, _ uint64, _ func(record.Request)) (record.Header, error) {
	<-ctx.Done()
	return record.Header{}, ctx.Err()
}

// With a deadline the first blocks of all scenarios come first.
func TestDeadlineOrder(t *testing.T) {
	e := experiment{within: time.Minute, subjects: map[string][]scenario.Subject{"a": {{Name: "x"}}, "b": {{Name: "x"}}}}
	e.scenarios = []*scenario.Scenario{{Name: "a"}, {Name: "b"}}
	names := func() (all []string) {
		for _, j := range e.jobs(map[string]int{}, map[string]int{"a": 2, "b": 2}, nil) {
			all = append(all, j.scenario.Name)
		}
		return all
	}
	if got, want := names(), []string{"a", "b", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	e.within = 0
	if got, want := names(), []string{"a", "a", "b", "b"}; !slices.Equal(got, want) {
		t.Errorf("without: got %v, want %v", got, want)
	}
}

func TestWholeBlocks(t *testing.T) {
	of := func(blocks ...int) (list []stat.Digest) {
		for _, b := range blocks {
			list = append(list, stat.Digest{Header: record.Header{Block: b}})
		}
		return list
	}
	for _, c := range []struct {
		have, want []stat.Digest
		blocks     int
	}{
		{nil, nil, 0},
		{of(0), nil, 0},
		{of(0, 0), of(0, 0), 1},
		{of(0, 1, 0, 2, 2), of(0, 0, 2, 2), 2},
	} {
		got, blocks := wholeBlocks(c.have, 2)
		if blocks != c.blocks || len(got) != len(c.want) || len(got) > 0 && !cmp.Equal(got, c.want) {
			t.Errorf("of %d: got %d in %d blocks, want %d in %d", len(c.have), len(got), blocks, len(c.want), c.blocks)
		}
	}
}

// What a scenario's live trials have left goes with them, and nothing else does.
func TestForget(t *testing.T) {
	dir := t.TempDir()
	gone := []string{"tiny.live.calibration.json", "tiny.live.digests.json.gz", "tiny.live.a.1.b0.csv.gz", "tiny.live.a.1.conf", "tiny.live.a.1.servers.csv.gz", "tiny.live.a.1.servers.prom", "tiny.live.a.1.vegeta.gob"}
	stay := []string{"tiny.sim.digests.json.gz", "tiny.yaml", "tinyx.live.a.1.conf", "tiny.live.mine.txt"}
	if err := os.Mkdir(filepath.Join(dir, record.Folder), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(gone, stay) {
		if err := os.WriteFile(filepath.Join(dir, record.Folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := forget(dir, "tiny", record.Live); err != nil {
		t.Fatal(err)
	}
	for _, name := range gone {
		if exists(filepath.Join(dir, record.Folder, name)) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range stay {
		if !exists(filepath.Join(dir, record.Folder, name)) {
			t.Errorf("%s is gone", name)
		}
	}
}
