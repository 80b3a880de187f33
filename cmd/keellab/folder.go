package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/report"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// folder is a results folder: records as the trials end, and at the end the summary
// and the reports. Beside the records lie the scenarios as they were played, so that
// the folder speaks for itself.
type folder struct {
	dir     string
	summary stat.Summary // of earlier commands, to be kept
}

// openFolder makes the folder ready. Unless it is extended, what an earlier command
// left there is removed; if it is, only what this one will play again.
func openFolder(dir string, extend bool, driver string, scenarios []*scenario.Scenario) (*folder, error) {
	f := &folder{dir: dir}
	if err := recognise(dir); err != nil {
		return nil, err
	}
	if !extend {
		for _, name := range ourFiles {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, record.Folder), 0o755); err != nil {
		return nil, err
	}
	var err error
	if f.summary, err = stat.ReadSummary(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	entries, err := record.List(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		again := func(s *scenario.Scenario) bool { return s.Name == e.Header.Scenario }
		if e.Header.Driver == driver && slices.ContainsFunc(scenarios, again) {
			if err := os.Remove(e.Path); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range scenarios {
		if err := os.WriteFile(scenarioPath(dir, s.Name), s.Text, 0o644); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// ourFiles are what stands in a results folder.
var ourFiles = []string{stat.File, report.ProvenanceFile, report.HTMLFile, report.MarkdownFile, report.FigureFolder, record.Folder}

// recognise refuses a folder with something in it that is no results folder, lest
// --out names the wrong one.
func recognise(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(files) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if slices.Contains([]string{stat.File, record.Folder}, file.Name()) {
			return nil
		}
	}
	return fmt.Errorf("%s is not empty, and no results folder: expected a new or an empty one", dir)
}

func scenarioPath(dir, name string) string {
	return filepath.Join(dir, record.Folder, record.Safe(name)+".yaml")
}

// finish writes the summary and the reports: of this command, and of the earlier ones
// that are kept.
func (f *folder) finish(summary stat.Summary, digests []stat.Digest, run report.Run) error {
	f.summary.Merge(summary)
	if err := stat.WriteSummary(f.dir, f.summary); err != nil {
		return err
	}
	provenance, err := report.ReadProvenance(f.dir)
	if err != nil {
		return err
	}
	provenance.Add(run)
	for _, s := range f.summary.Scenarios {
		if summary.Find(s.Scenario, s.Driver) != nil {
			continue
		}
		kept, err := readDigests(f.dir, s.Scenario, s.Driver)
		if err != nil {
			return err
		}
		digests = append(digests, kept...)
	}
	notes, err := readNotes(f.dir, f.summary)
	if err != nil {
		return err
	}
	return report.Write(f.dir, report.Input{Summary: f.summary, Digests: digests, Notes: notes, Provenance: &provenance})
}

// readDigests digests the records of a scenario and driver, one at a time.
func readDigests(dir, scenario, driver string) ([]stat.Digest, error) {
	entries, err := record.List(dir)
	if err != nil {
		return nil, err
	}
	var digests []stat.Digest
	for _, e := range entries {
		if e.Header.Scenario != scenario || e.Header.Driver != driver {
			continue
		}
		t, err := record.ReadFile(e.Path)
		if err != nil {
			return nil, err
		}
		d, err := stat.NewDigest(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Path, err)
		}
		digests = append(digests, d)
	}
	return digests, nil
}

// readNotes reads what the scenarios in the folder say of themselves.
func readNotes(dir string, summary stat.Summary) ([]report.Notes, error) {
	var notes []report.Notes
	seen := map[string]bool{}
	for _, of := range summary.Scenarios {
		if seen[of.Scenario] {
			continue
		}
		seen[of.Scenario] = true
		path := scenarioPath(dir, of.Scenario)
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s, err := scenario.Parse(path, text, scenario.Sim)
		if err != nil {
			return nil, err
		}
		notes = append(notes, report.Notes{
			Scenario: s.Name, Models: s.Models, Source: s.Source,
			Wins: s.Expect.Wins, Loses: s.Expect.Loses, Text: s.Comment,
		})
	}
	return notes, nil
}

// renderFolder makes summary and reports again, from the records alone. The order of
// scenarios and subjects is that of the earlier summary, where there is one.
func renderFolder(dir string) (stat.Summary, error) {
	var summary stat.Summary
	old, err := stat.ReadSummary(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return summary, err
	}
	entries, err := record.List(dir)
	if err != nil {
		return summary, err
	}
	if len(entries) == 0 {
		return summary, fmt.Errorf("%s has no records", dir)
	}
	for _, e := range entries { // scenarios that the old summary does not have
		if old.Find(e.Header.Scenario, e.Header.Driver) == nil {
			old.Scenarios = append(old.Scenarios, stat.Scenario{Scenario: e.Header.Scenario, Driver: e.Header.Driver})
		}
	}
	var all []stat.Digest
	for _, s := range old.Scenarios {
		digests, err := readDigests(dir, s.Scenario, s.Driver)
		if err != nil {
			return summary, err
		}
		if len(digests) == 0 {
			continue
		}
		one, err := stat.SummariseDigests(digests, subjectOrder(s, digests))
		if err != nil {
			return summary, err
		}
		summary.Scenarios = append(summary.Scenarios, one)
		all = append(all, digests...)
	}
	if err := stat.WriteSummary(dir, summary); err != nil {
		return summary, err
	}
	provenance, err := report.ReadProvenance(dir)
	if err != nil {
		return summary, err
	}
	notes, err := readNotes(dir, summary)
	if err != nil {
		return summary, err
	}
	return summary, report.Write(dir, report.Input{Summary: summary, Digests: all, Notes: notes, Provenance: &provenance})
}

// subjectOrder is the order of the subjects in a summary, then of others as they come.
func subjectOrder(s stat.Scenario, digests []stat.Digest) []string {
	var order []string
	for _, subject := range s.Subjects {
		order = append(order, subject.Name)
	}
	for _, d := range digests {
		if !slices.Contains(order, d.Header.Subject) {
			order = append(order, d.Header.Subject)
		}
	}
	return slices.DeleteFunc(order, func(name string) bool {
		return strings.TrimSpace(name) == ""
	})
}
