package stat

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/evenkeel/evenkeel/lab/record"
)

// DigestExtension ends the name of every file of digests.
const DigestExtension = ".digests.json.gz"

// digestVersion is the version of the format that WriteDigests writes.
const digestVersion = 1

// digestHead is the first line of a file of digests.
type digestHead struct {
	Version  int    `json:"version"`
	Scenario string `json:"scenario"`
	Driver   string `json:"driver"`
	Trials   int    `json:"trials"` // lines that follow
}

// DigestPath is where the digests of a scenario and driver lie in the results folder
// dir.
func DigestPath(dir, scenario, driver string) string {
	return filepath.Join(dir, record.Folder, record.Safe(scenario)+"."+record.Safe(driver)+DigestExtension)
}

// WriteDigests writes the digests of one scenario and driver, sorted (Sort), to their
// DigestPath in the results folder dir: gzip'ed lines of JSON, the first one saying what
// follows, then one for each trial. The bytes depend on the digests alone. The file
// appears whole or not at all; an older one is replaced. Digests that ReadDigests would
// refuse are refused here.
func WriteDigests(dir string, sorted []Digest) error {
	if len(sorted) == 0 {
		return errors.New("stat: no digests to write")
	}
	head := digestHead{digestVersion, sorted[0].Header.Scenario, sorted[0].Header.Driver, len(sorted)}
	path := DigestPath(dir, head.Scenario, head.Driver)
	var b bytes.Buffer
	// At the usual level a quarter smaller than at the fastest: these are kept, and are few.
	zw := gzip.NewWriter(&b)
	enc := json.NewEncoder(zw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(head); err != nil {
		return fmt.Errorf("stat: %s: %w", path, err)
	}
	row := sequence{digestHead: head}
	for i := range sorted {
		err := row.wrong(&sorted[i])
		if err == nil {
			err = enc.Encode(&sorted[i])
		}
		if err != nil {
			return fmt.Errorf("stat: %s: trial %d of %d: %w", path, i+1, head.Trials, err)
		}
	}
	if err := zw.Close(); err != nil {
		return fmt.Errorf("stat: %s: %w", path, err)
	}
	return writeFile(path, b.Bytes())
}

// ReadDigests reads a file that WriteDigests wrote. The error for anything else says in
// one line what is wrong; for a missing file it wraps os.ErrNotExist.
func ReadDigests(path string) ([]Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	defer f.Close()
	list, err := readDigests(f)
	if err != nil {
		return nil, fmt.Errorf("stat: %s: %w", path, err)
	}
	if first := &list[0].Header; filepath.Base(path) != filepath.Base(DigestPath("", first.Scenario, first.Driver)) {
		return nil, fmt.Errorf("stat: %s: has the digests of %s (%s): expected those of its name", path, first.Scenario, first.Driver)
	}
	return list, nil
}

func readDigests(r io.Reader) ([]Digest, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("expected gzip'ed digests: %w", err)
	}
	dec := json.NewDecoder(bufio.NewReaderSize(zr, 64<<10))
	var head digestHead
	if err := decode(dec, &head); err != nil {
		return nil, fmt.Errorf("expected a head: %w", err)
	}
	if head.Version != digestVersion {
		return nil, fmt.Errorf("version %d, expected %d", head.Version, digestVersion)
	}
	if head.Trials < 1 {
		return nil, fmt.Errorf("%d trials, expected at least 1", head.Trials)
	}
	// A head may lie about the number: what is not there takes no memory.
	var list []Digest
	row := sequence{digestHead: head}
	dec.DisallowUnknownFields()
	for i := range head.Trials {
		var d Digest
		err := decode(dec, &d)
		if err == nil {
			err = row.wrong(&d)
		}
		if err != nil {
			return nil, fmt.Errorf("trial %d of %d: %w", i+1, head.Trials, err)
		}
		list = append(list, d)
	}
	// Reading to the end also checks the sum that gzip keeps.
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("more follows")
		}
		return nil, fmt.Errorf("after %d trials: expected the end: %w", head.Trials, err)
	}
	return list, nil
}

// decode reads the next value; an end in its place is an unexpected one.
func decode(dec *json.Decoder, v any) error {
	err := dec.Decode(v)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// sequence looks at the digests of a file one after the other.
type sequence struct {
	digestHead
	subject string
	blocks  map[string]int // the last one of each subject
}

// wrong says what keeps d from being the next; nil when nothing does.
func (q *sequence) wrong(d *Digest) error {
	h, s := &d.Header, &d.Summary
	if h.Scenario != q.Scenario || h.Driver != q.Driver {
		return fmt.Errorf("of %q (%s), expected %q (%s)", h.Scenario, h.Driver, q.Scenario, q.Driver)
	}
	if err := check(h); err != nil {
		return err
	}
	if last, known := q.blocks[h.Subject]; known && (h.Subject != q.subject || h.Block <= last) {
		return fmt.Errorf("%s, block %d: expected the trials of a subject together, by block", h.Subject, h.Block)
	}
	if q.blocks == nil {
		q.blocks = make(map[string]int)
	}
	q.subject, q.blocks[h.Subject] = h.Subject, h.Block
	if s.Seed != h.Seed || s.Block != h.Block || s.Void != h.Void || s.Unstable != h.Unstable {
		return errors.New("header and summary are of different trials")
	}
	return d.fits()
}

// fits looks for figures that cannot be those of the header's trial.
func (d *Digest) fits() error {
	groups, _ := Groups(&d.Header)
	s, t := &d.Summary, &d.Timeline
	switch bin := BinFor(d.Header.Duration); {
	case s.Requests < 0:
		return fmt.Errorf("%d requests", s.Requests)
	case !share(s.ErrorRatio) || !share(s.WithinObjective) || !share(s.Modes.Adaptive) || !share(s.Modes.Fallback) || !share(s.Modes.Panic):
		return errors.New("a share that is not from 0 to 1")
	case len(s.Shares) != len(groups):
		return fmt.Errorf("the shares of %d groups of endpoints, expected %d", len(s.Shares), len(groups))
	case (s.Service != nil) != (d.Header.Driver == record.Live):
		return errors.New("service times belong to the live driver, and only to it")
	case len(d.Curve) > len(curveGrid):
		return fmt.Errorf("a curve of %d points, expected at most %d", len(d.Curve), len(curveGrid))
	case t.Bin != bin || len(t.Bins) != int((d.Header.Duration+bin-1)/bin):
		return fmt.Errorf("%d bins of %v do not make %v", len(t.Bins), t.Bin, d.Header.Duration)
	}
	if d.Inside != nil {
		if expected := d.Inside.Wrong(d.Header.Duration, len(groups)); expected != "" {
			return fmt.Errorf("expected %s", expected)
		}
	}
	if h := d.Heat; h != nil {
		if h.First < 0 || len(h.Columns) != len(t.Bins) {
			return fmt.Errorf("%d columns of heat from row %d do not fit", len(h.Columns), h.First)
		}
		for _, column := range h.Columns {
			if h.First+len(column) > mostHeatRows {
				return fmt.Errorf("%d rows of heat from row %d: longer than any duration", len(column), h.First)
			}
		}
	}
	if (d.Simulated != nil) != (s.Simulated != nil) || d.Simulated != nil && d.Header.Driver != record.Live {
		return errors.New("a simulated trial beside it belongs to a live one, with figures and pictures")
	}
	for i := range t.Bins {
		b := &t.Bins[i]
		if b.Count < 0 || b.Errors < 0 || b.Errors > b.Count || len(b.Answered) != len(groups) || b.Answers() > uint64(b.Count) {
			return fmt.Errorf("bin %d: %d requests, %d errors, %d answers by %d groups of endpoints do not fit",
				i, b.Count, b.Errors, b.Answers(), len(b.Answered))
		}
	}
	return nil
}

// share reports whether v can be a share, but for rounding.
func share(v float64) bool { return v >= 0 && v <= 1+1e-9 }

// ListDigests returns the paths of the files of digests in the results folder dir, by
// name. A folder without any is an empty list.
func ListDigests(dir string) ([]string, error) {
	folder := filepath.Join(dir, record.Folder)
	files, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	var list []string
	for _, f := range files {
		if !f.IsDir() && strings.HasSuffix(f.Name(), DigestExtension) {
			list = append(list, filepath.Join(folder, f.Name()))
		}
	}
	return list, nil
}

// writeFile writes a file, whole or not at all.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	// One writer a folder: a fixed temporary name leaves at most one behind.
	if err := os.WriteFile(path+".tmp", data, 0o644); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	return nil
}
