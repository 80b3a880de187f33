package stat

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/google/go-cmp/cmp"
)

// some are digests of one scenario with everything in them: two subjects, a void trial,
// an unstable one, figures that are not there.
func some(t testing.TB) []Digest {
	t.Helper()
	void, unstable := steady("x", 1, 50, 9*ms), steady("y", 0, 3, ms)
	void.Header.Void, unstable.Header.Unstable = "noise", "too much"
	unstable.Header.Decisions = []record.Decisions{{Mode: "adaptive", Count: 2}, {Mode: "fallback", Reason: "signal-thin", Count: 1}}
	all := digests(t, void, unstable, steady("x", 0, 5000, 3*ms))
	Sort(all, []string{"y", "x"})
	return all
}

func TestDigestFile(t *testing.T) {
	dir := t.TempDir()
	if list, err := ListDigests(dir); list != nil || err != nil {
		t.Errorf("of an empty folder: %v, %v", list, err)
	}
	want := some(t)
	for range 2 { // the second time in place of the first
		if err := WriteDigests(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	live := digests(t, steady("x", 0, 50, ms))
	live[0].Header.Driver, live[0].Summary.Service = record.Live, new(Latency)
	if err := WriteDigests(dir, live); err != nil {
		t.Fatal(err)
	}
	list, err := ListDigests(dir)
	if err != nil {
		t.Fatal(err)
	}
	if paths := []string{DigestPath(dir, "s", "live"), DigestPath(dir, "s", "sim")}; !slices.Equal(list, paths) {
		t.Errorf("list %v, want %v", list, paths)
	}
	if files, _ := os.ReadDir(filepath.Join(dir, record.Folder)); len(files) != 2 {
		t.Errorf("%d files, want 2", len(files))
	}
	first, err := os.ReadFile(list[1])
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadDigests(list[1])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-wrote +read):\n%s", diff)
	}
	// What was read is written in the same bytes.
	if err := WriteDigests(dir, got); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(list[1]); err != nil || !bytes.Equal(first, again) {
		t.Errorf("written again: %d bytes, want the same %d (%v)", len(again), len(first), err)
	}
	if _, err := ReadDigests(DigestPath(dir, "t", "sim")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// What cannot be of one experiment is not written.
func TestWriteDigestsRefuses(t *testing.T) {
	for name, breakIt := range map[string]func([]Digest) []Digest{
		"none":               func(d []Digest) []Digest { return nil },
		"not sorted":         func(d []Digest) []Digest { d[1], d[2] = d[2], d[1]; return d },
		"a subject apart":    func(d []Digest) []Digest { d[0], d[1] = d[1], d[0]; return d },
		"twice":              func(d []Digest) []Digest { return append(d, d[2]) },
		"of two scenarios":   func(d []Digest) []Digest { d[1].Header.Scenario = "t"; return d },
		"of two drivers":     func(d []Digest) []Digest { d[1].Header.Driver = "live"; return d },
		"an unknown mode":    func(d []Digest) []Digest { d[0].Header.Decisions[0].Mode = "clever"; return d },
		"no measured time":   func(d []Digest) []Digest { d[1].Header.WarmUp = d[1].Header.Duration; return d },
		"another seed":       func(d []Digest) []Digest { d[1].Summary.Seed++; return d },
		"another block":      func(d []Digest) []Digest { d[1].Summary.Block = 9; return d },
		"void and not":       func(d []Digest) []Digest { d[1].Summary.Void = "x"; return d },
		"unstable and not":   func(d []Digest) []Digest { d[1].Summary.Unstable = "x"; return d },
		"negative":           func(d []Digest) []Digest { d[1].Summary.Requests = -1; return d },
		"more than all":      func(d []Digest) []Digest { d[1].Summary.ErrorRatio = 1.5; return d },
		"less than none":     func(d []Digest) []Digest { d[1].Summary.WithinObjective = -0.5; return d },
		"other endpoints":    func(d []Digest) []Digest { d[1].Header.Endpoints = []string{"a"}; return d },
		"service times":      func(d []Digest) []Digest { d[1].Summary.Service = new(Latency); return d },
		"a long curve":       func(d []Digest) []Digest { d[1].Curve = make([]float64, len(curveGrid)+1); return d },
		"a bin too few":      func(d []Digest) []Digest { d[1].Timeline.Bins = d[1].Timeline.Bins[1:]; return d },
		"other bins":         func(d []Digest) []Digest { d[1].Timeline.Bin *= 2; return d },
		"errors for nothing": func(d []Digest) []Digest { d[1].Timeline.Bins[0].Errors = 1; return d },
		"too many answers":   func(d []Digest) []Digest { d[1].Timeline.Bins[0].Answered[0] = 1 << 40; return d },
		"too few groups":     func(d []Digest) []Digest { d[1].Timeline.Bins[0].Answered = nil; return d },
	} {
		dir := t.TempDir()
		if err := WriteDigests(dir, breakIt(some(t))); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want a line that says what is wrong", name, err)
		}
		if list, _ := ListDigests(dir); list != nil {
			t.Errorf("%s: left %v", name, list)
		}
	}
}

// packed is text as a file of digests has it.
func packed(text string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	io.WriteString(zw, text)
	zw.Close()
	return b.Bytes()
}

// written is the text of a file of digests.
func written(t testing.TB, sorted []Digest) string {
	t.Helper()
	dir := t.TempDir()
	if err := WriteDigests(dir, sorted); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(DigestPath(dir, "s", "sim"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadDigestsRefuses(t *testing.T) {
	text := written(t, some(t))
	lines := strings.SplitAfter(text, "\n")
	whole := packed(text)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "expected gzip'ed digests: EOF"},
		"no gzip":          {[]byte("no digests at all"), "expected gzip'ed digests: gzip: invalid header"},
		"cut off":          {whole[:len(whole)/2], "unexpected EOF"},
		"its sum cut off":  {whole[:len(whole)-4], "after 3 trials: expected the end: unexpected EOF"},
		"another sum":      {slices.Concat(whole[:len(whole)-8], []byte("12345678")), "after 3 trials: expected the end: gzip: invalid checksum"},
		"nothing inside":   {packed(""), "expected a head: unexpected EOF"},
		"no head":          {packed(text[len(lines[0]):]), "version 0, expected 1"},
		"another version":  {packed(strings.Replace(text, `"version":1`, `"version":2`, 1)), "version 2, expected 1"},
		"no trials":        {packed(strings.Replace(lines[0], `"trials":3`, `"trials":0`, 1)), "0 trials, expected at least 1"},
		"a line too few":   {packed(lines[0] + lines[1] + lines[2]), "trial 3 of 3: unexpected EOF"},
		"a line too many":  {packed(text + lines[3]), "after 3 trials: expected the end: more follows"},
		"lines in between": {packed(lines[0] + lines[1] + lines[1] + lines[3]), "trial 2 of 3: y, block 0: expected the trials of a subject together, by block"},
		"unknown field":    {packed(strings.Replace(text, `"curve"`, `"bend"`, 1)), `trial 1 of 3: json: unknown field "bend"`},
		"no JSON":          {packed(lines[0] + "{]"), "trial 1 of 3: invalid character"},
		"other content":    {packed(strings.ReplaceAll(text, `"scenario":"s"`, `"scenario":"t"`)), "has the digests of t (sim): expected those of its name"},
	} {
		path := DigestPath(t.TempDir(), "s", "sim")
		if err := writeFile(path, c.data); err != nil {
			t.Fatal(err)
		}
		_, err := ReadDigests(path)
		if err == nil || !strings.HasPrefix(err.Error(), "stat: "+path+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v\nwant a line with %q", name, err, c.want)
		}
	}
}

// Whatever is read can be written, and is then read as the same.
func FuzzReadDigests(f *testing.F) {
	// A trial of three nanoseconds, and so of three bins: fuzzing likes it short.
	trial := steady("x", 0, 0, ms)
	trial.Header.Duration, trial.Header.WarmUp = 3, 0
	trial.Requests = []record.Request{{Code: 200, Done: 5}, {Seq: 1, Planned: 2, Done: 4, Code: 503, Endpoint: -1}}
	text := written(f, digests(f, trial))
	f.Add(text)
	f.Add(strings.Replace(text, `"trials":1`, `"trials":2`, 1))
	f.Add(`{"version":1,"scenario":"s","driver":"sim","trials":999999999}` + "\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readDigests(bytes.NewReader(packed(text)))
		if err != nil {
			if list != nil {
				t.Fatalf("an error and %d digests", len(list))
			}
			return
		}
		dir := t.TempDir()
		if err := WriteDigests(dir, list); err != nil {
			t.Fatalf("read, and not to be written: %v", err)
		}
		again, err := ReadDigests(DigestPath(dir, list[0].Header.Scenario, list[0].Header.Driver))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list, again); diff != "" {
			t.Fatalf("(-read +read again):\n%s", diff)
		}
		if _, err := Summarise(list); err != nil && !strings.Contains(err.Error(), "has the seeds") {
			t.Fatalf("read, and not to be summarised: %v", err)
		}
	})
}
