package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The names of what Write writes into a results folder.
const (
	HTMLFile     = "report.html"
	MarkdownFile = "report.md"
	FigureFolder = "figures"
)

// Write writes report.html, report.md, figures/ and, if there is one, the
// provenance into dir. Figures of an earlier report that this one does not have are
// removed.
func Write(dir string, in Input) error {
	list := sections(in)
	if in.Provenance != nil {
		p := *in.Provenance
		p.Verdicts = in.Summary.Rule
		in.Provenance = &p
	}
	var page bytes.Buffer
	if err := writeHTML(&page, in, list); err != nil {
		return fmt.Errorf("report: %s: %w", HTMLFile, err)
	}
	if in.Provenance != nil {
		if err := WriteProvenance(dir, *in.Provenance); err != nil {
			return err
		}
	}
	figures := filepath.Join(dir, FigureFolder)
	if err := os.MkdirAll(figures, 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	current := make(map[string]bool)
	for i := range list {
		for _, f := range list[i].files() {
			current[f.id+".svg"] = true
			if err := write(filepath.Join(figures, f.id+".svg"), []byte(f.file())); err != nil {
				return err
			}
		}
	}
	if err := removeStale(figures, current); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, MarkdownFile), []byte(markdown(list, in.Summary.Rule))); err != nil {
		return err
	}
	return write(filepath.Join(dir, HTMLFile), page.Bytes())
}

// files are the figures of a section that stand beside report.md.
func (s *section) files() []figure {
	var list []figure
	if f, ok := s.paired(s.rule); ok {
		list = append(list, f)
	}
	if f, ok := s.curves(); ok {
		list = append(list, f)
	}
	of := ": " + s.Scenario.Scenario + ", " + driver(s.Driver)
	if p := s.timelines(); len(p) > 0 {
		list = append(list, sheet(s.ID+".timeline", "Response time over time"+of,
			"p50 and p99 per subject, medians over the trials; shaded where a fault is on.", p, timeH))
	}
	if p := s.shares(); len(p) > 0 {
		list = append(list, sheet(s.ID+".shares", "Share of the traffic per endpoint over time"+of,
			"Stacked, endpoints with faults at the bottom.", p, shareH))
	}
	return list
}

// kinds end the names of the figures that this package writes.
var kinds = []string{".paired.svg", ".percentiles.svg", ".timeline.svg", ".shares.svg"}

// removeStale removes figures of this package's kinds that are not current.
func removeStale(folder string, current map[string]bool) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, f := range files {
		for _, kind := range kinds {
			if !strings.HasSuffix(f.Name(), kind) || current[f.Name()] {
				continue
			}
			if err := os.Remove(filepath.Join(folder, f.Name())); err != nil {
				return fmt.Errorf("report: %w", err)
			}
		}
	}
	return nil
}

// write writes a file, whole or not at all.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(path+".tmp", data, 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
