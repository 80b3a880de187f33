package stat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is the name of the summary inside a results folder.
const File = "summary.json"

// Encode writes s as JSON with the Version of this package, a line for each scenario,
// subject, trial and verdict, so that two summaries can be compared line by line. Lists are
// never null.
func (s Summary) Encode(w io.Writer) error {
	s.Version = Version
	s.Scenarios = append([]Scenario{}, s.Scenarios...)
	for i := range s.Scenarios {
		e := &s.Scenarios[i]
		e.Verdicts = append([]Verdict{}, e.Verdicts...)
		e.Subjects = append([]Subject{}, e.Subjects...)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("stat: %s: %w", File, err)
	}
	// Inside a string a quotation mark is escaped, so these are beginnings of objects only.
	// Indented throughout, nine tenths of the file were blanks and line ends.
	text := b.Bytes()
	for _, key := range []string{"scenario", "name", "seed", "baseline", "reference"} {
		begin := []byte(`{"` + key + `":`)
		text = bytes.ReplaceAll(text, begin, append([]byte("\n"), begin...))
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("stat: %s: %w", File, err)
	}
	return nil
}

// WriteSummary writes DIR/summary.json, whole or not at all.
func WriteSummary(dir string, s Summary) error {
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, File), b.Bytes())
}

// ReadSummary reads DIR/summary.json. A missing file is an error that wraps
// os.ErrNotExist; fields that this package does not know are ignored. A scenario without
// a metric, as earlier versions wrote them, has the DefaultMetric.
func ReadSummary(dir string) (Summary, error) {
	path := filepath.Join(dir, File)
	data, err := os.ReadFile(path)
	if err != nil {
		return Summary{}, fmt.Errorf("stat: %w", err)
	}
	var s Summary
	if err := json.Unmarshal(data, &s); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(data[:e.Offset], []byte("\n"))
			return Summary{}, fmt.Errorf("stat: %s:%d: %w", path, line, err)
		}
		return Summary{}, fmt.Errorf("stat: %s: %w", path, err)
	}
	if s.Version != Version {
		return Summary{}, fmt.Errorf("stat: %s: version %d, expected %d", path, s.Version, Version)
	}
	for i := range s.Scenarios {
		s.Scenarios[i].Metric = s.Scenarios[i].metric()
	}
	return s, nil
}
