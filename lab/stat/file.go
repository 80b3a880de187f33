package stat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// File is the name of the summary inside a results folder.
const File = "summary.json"

// Merge puts the scenarios of other into s: an entry of the same scenario and
// driver is replaced where it stands, the others follow in their order.
func (s *Summary) Merge(other Summary) {
	for _, o := range other.Scenarios {
		i := slices.IndexFunc(s.Scenarios, func(e Scenario) bool {
			return e.Scenario == o.Scenario && e.Driver == o.Driver
		})
		if i < 0 {
			s.Scenarios = append(s.Scenarios, o)
		} else {
			s.Scenarios[i] = o
		}
	}
}

// Find returns the entry of a scenario and driver, nil when there is none.
func (s *Summary) Find(scenario, driver string) *Scenario {
	for i := range s.Scenarios {
		if e := &s.Scenarios[i]; e.Scenario == scenario && e.Driver == driver {
			return e
		}
	}
	return nil
}

// Encode writes s as indented JSON with the Version of this package. Lists are
// never null.
func (s Summary) Encode(w io.Writer) error {
	s.Version = Version
	s.Scenarios = append([]Scenario{}, s.Scenarios...)
	for i := range s.Scenarios {
		e := &s.Scenarios[i]
		e.Verdicts = append([]Verdict{}, e.Verdicts...)
		e.Subjects = append([]Subject{}, e.Subjects...)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	path := filepath.Join(dir, File)
	// One writer a folder: a fixed temporary name leaves at most one behind.
	if err := os.WriteFile(path+".tmp", b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	return nil
}

// ReadSummary reads DIR/summary.json. A missing file is an error that wraps
// os.ErrNotExist; fields that this package does not know are ignored.
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
	return s, nil
}
