package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// The trials of a folder are of the scenario files beside them. A file that has changed since
// would have results told of it that it never had.

// played reports an error unless the scenario file in the folder is the one that was played,
// as far as the trial knows it.
func played(dir string, h *record.Header) error {
	if h.Sum == "" {
		return nil
	}
	path := scenarioPath(dir, h.Scenario)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if sum := record.Sum(text); sum != h.Sum {
		return fmt.Errorf("%s is not the scenario that was played (%s, %s): its sum is %s, expected %s; play it again", path, h.Scenario, h.Driver, sum, h.Sum)
	}
	return nil
}

// agree reports an error where results that stay in the folder, those of the other driver or
// those that are resumed, are of another text of a scenario that is to be played.
func agree(dir string, resume bool, driver string, scenarios []*scenario.Scenario) error {
	paths, err := stat.ListDigests(dir)
	if err != nil {
		return err
	}
	for _, s := range scenarios {
		for _, of := range []string{record.Sim, record.Live} {
			path := stat.DigestPath(dir, s.Name, of)
			if of == driver && !resume || !slices.Contains(paths, path) {
				continue
			}
			digests, err := stat.ReadDigests(path)
			if err != nil {
				return err
			}
			if sum := digests[0].Header.Sum; sum != "" && sum != record.Sum(s.Text) {
				return fmt.Errorf("%s: %s has changed since: %w", path, s.Name, errChanged)
			}
		}
	}
	return nil
}

// errChanged is what to do about it.
var errChanged = errors.New("play it anew with both drivers, or into another folder")
