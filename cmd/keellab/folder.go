package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/lab/live"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/report"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// A results folder has records and their digests as the trials end, and at the end the
// summary and the reports, which are made of the digests alone. Beside the records lie the
// scenarios as they were played, so that the folder speaks for itself.

// openFolder makes the folder ready. Unless it is extended, what an earlier command
// left there is removed; if it is, only what this one will play again; if that one is
// resumed, nothing.
func openFolder(dir string, extend, resume bool, driver string, scenarios []*scenario.Scenario) error {
	if err := recognise(dir); err != nil {
		return err
	}
	if !extend {
		for _, name := range ourFiles {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, record.Folder), 0o755); err != nil {
		return err
	}
	if err := agree(dir, resume, driver, scenarios); err != nil {
		return err
	}
	for _, s := range scenarios {
		if resume && exists(scenarioPath(dir, s.Name)) {
			continue
		}
		if err := forget(dir, s.Name, driver); err != nil {
			return err
		}
		if err := os.WriteFile(scenarioPath(dir, s.Name), s.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// forget removes what trials of a scenario have left in the folder.
func forget(dir, name, driver string) error {
	if err := os.Remove(stat.DigestPath(dir, name, driver)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := record.Remove(dir, name, driver); err != nil {
		return err
	}
	return removeLeavings(dir, name, driver)
}

// removeLeavings removes what lies beside their records.
func removeLeavings(dir, name, driver string) error {
	paths, err := filepath.Glob(filepath.Join(dir, record.Folder, record.Safe(name)+"."+driver+".*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		for _, end := range append(live.Leavings, live.CalibrationExtension) {
			if strings.HasSuffix(path, end) {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}
	}
	return nil
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

// render makes summary and reports from the digests in the folder, and nothing else. The
// scenarios stand in the order of the earlier summary, then in that of the paths of their
// digests. run is added to the provenance; nil for none.
func render(dir string, paths []string, run *report.Run, j judgement) (stat.Summary, error) {
	var summary stat.Summary
	earlier, err := stat.ReadSummary(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return summary, err
	}
	var order []string
	for _, s := range earlier.Scenarios {
		order = append(order, stat.DigestPath(dir, s.Scenario, s.Driver))
	}
	all, err := stat.ListDigests(dir)
	if err != nil {
		return summary, err
	}
	if len(all) == 0 {
		return summary, fmt.Errorf("%s has no digests of trials", filepath.Join(dir, record.Folder))
	}
	var digests []stat.Digest
	for _, path := range inOrder(all, append(order, paths...)) {
		these, err := stat.ReadDigests(path)
		if err != nil {
			return summary, err
		}
		if err := played(dir, &these[0].Header); err != nil {
			return summary, err
		}
		one, err := stat.Summarise(these)
		if err != nil {
			return summary, fmt.Errorf("%s: %w", path, err)
		}
		summary.Scenarios = append(summary.Scenarios, one)
		digests = append(digests, these...)
	}
	if err := j.judge(&summary, earlier.Rule); err != nil {
		return summary, err
	}
	if err := stat.WriteSummary(dir, summary); err != nil {
		return summary, err
	}
	provenance, err := report.ReadProvenance(dir)
	if err != nil {
		return summary, err
	}
	if run != nil {
		provenance.Add(*run)
	}
	notes, err := readNotes(dir, summary)
	if err != nil {
		return summary, err
	}
	return summary, report.Write(dir, report.Input{Summary: summary, Digests: digests, Notes: notes, Provenance: &provenance})
}

// inOrder sorts a list by the places of its entries in order; those that are not there
// follow as they stand.
func inOrder(list, order []string) []string {
	place := func(entry string) int {
		if i := slices.Index(order, entry); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return list
}
