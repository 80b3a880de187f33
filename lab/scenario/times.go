package scenario

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// MaxLines is the most lines that a file of times may have.
const MaxLines = 10_000_000

// maxSeconds is the longest time in such a file: some thirty years. Dates written as
// seconds since 1970 are beyond it, and no times since the beginning of a trial.
const maxSeconds = 1e9

// maxMistakes is how many mistakes in a file of times are told.
const maxMistakes = 10

// read reads the files that the scenario at the path names, and checks what hangs on them.
func (s *Scenario) read(path string) error {
	var mistakes strict.Errors
	report := func(where, format string, args ...any) {
		mistakes = append(mistakes, strict.Error{File: path, Message: where + ": " + fmt.Sprintf(format, args...)})
	}
	for _, place := range s.places() {
		if place.file == "" {
			continue
		}
		file := place.file
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		times, err := readTimes(file, place.of)
		var these strict.Errors
		if errors.As(err, &these) {
			mistakes = append(mistakes, these...)
		} else if err != nil {
			report(place.path, "%v", err)
		}
		*place.times = times
	}
	if file := s.Requests.File; file != "" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		targets, err := readTargets(file)
		var these strict.Errors
		if errors.As(err, &these) {
			mistakes = append(mistakes, these...)
		} else if err != nil {
			report("requests.file", "%v", err)
		}
		s.Requests.Targets = targets
	}
	if len(mistakes) == 0 {
		s.settle(report)
	}
	return mistakes.Err()
}

// place is a setting that names a file of times.
type place struct {
	path, file string
	times      *[]time.Duration
	of         func([]result) []time.Duration // them in vegeta's results
}

func (s *Scenario) places() []place {
	places := []place{
		{"arrivals.file", s.Arrivals.File, &s.Arrivals.Instants, instantsOf},
		{"servers.service.file", s.Servers.Service.File, &s.Servers.Service.Times, latenciesOf},
	}
	for i := range s.Classes {
		v := &s.Classes[i].Service
		places = append(places, place{fmt.Sprintf("classes[%d].service.file", i), v.File, &v.Times, latenciesOf})
	}
	return places
}

// settle checks what was not known before the files were read.
func (s *Scenario) settle(report strict.Report) {
	for _, place := range s.places() {
		if place.file != "" && place.times != &s.Arrivals.Instants && (*place.times)[len(*place.times)-1] == 0 {
			report(place.path, "%s: all times are 0: expected one above", place.file)
		}
	}
	if a := &s.Arrivals; a.Law == Trace && s.Rate() == 0 {
		report("arrivals.file", "%s: none of its %d instants lies within the duration, %v", a.File, len(a.Instants), s.Duration)
	}
	s.validateTotal(report)
}

// readTimes reads times in seconds, or those that of finds in vegeta's results.
func readTimes(path string, of func([]result) []time.Duration) ([]time.Duration, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, head := peek(f)
	encoding := encodingOf(head)
	if encoding == noResults {
		return parseTimes(path, b)
	}
	all, err := readResults(encoding, b)
	if err != nil {
		return nil, strict.Errors{{File: path, Message: err.Error()}}
	}
	return of(all), nil
}

// parseTimes reads times in seconds, one a line, and sorts them. Empty lines and those
// that begin with # are passed over, and so is the first of the others if it is no
// number: a heading. name stands in messages.
func parseTimes(name string, r io.Reader) ([]time.Duration, error) {
	var times []time.Duration
	var mistakes strict.Errors
	heading := true
	lines := bufio.NewScanner(r)
	line := 0
	mistake := func(format string, args ...any) {
		mistakes = append(mistakes, strict.Error{File: name, Line: line, Col: 1, Message: fmt.Sprintf(format, args...)})
	}
	for lines.Scan() && len(mistakes) < maxMistakes {
		if line++; line > MaxLines {
			mistake("expected at most %d lines", MaxLines)
			break
		}
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if heading && errors.Is(err, strconv.ErrSyntax) {
			heading = false
			continue
		}
		heading = false
		if err != nil || !(seconds >= 0 && seconds <= maxSeconds) {
			mistake("expected a time in seconds, 0 to %g, found %.40q", maxSeconds, text)
			continue
		}
		times = append(times, time.Duration(math.Round(seconds*1e9)))
	}
	if err := lines.Err(); err != nil {
		line++
		mistake("%v", err)
	}
	if len(times) == 0 && len(mistakes) == 0 {
		mistakes = strict.Errors{{File: name, Message: "expected times in seconds, one a line, found none"}}
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	slices.Sort(times)
	return times, nil
}
