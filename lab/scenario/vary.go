package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Setting is a value in place of one of a scenario file: a variation. It holds in the
// size that is played, over the file's live block too.
type Setting struct {
	Path  string // as in messages: servers.count, faults[0].factor
	Value string // YAML in flow notation; null for the default
	// Flag is how messages call it, such as "--endpoints 20"; if empty, --set with path
	// and value.
	Flag string
	// Swept says that there are others with other values beside it: it becomes a part
	// of the scenario's name, NAME{PATH=VALUE,…}.
	Swept bool
}

// String is PATH=VALUE.
func (s Setting) String() string { return s.Path + "=" + s.Value }

func (s Setting) flag() string {
	if s.Flag != "" {
		return s.Flag
	}
	return "--set " + s.String()
}

// ParseSetting reads PATH=VALUE.
func ParseSetting(text string) (Setting, error) {
	path, value, ok := strings.Cut(text, "=")
	s := Setting{Path: strings.TrimSpace(path), Value: strings.TrimSpace(value)}
	if !ok || s.Path == "" || s.Value == "" {
		return s, fmt.Errorf("expected PATH=VALUE, such as servers.count=20")
	}
	return s, nil
}

// ParseSweep reads PATH=A,B,C: the settings that are alternatives. Commas inside of
// braces and brackets belong to a value.
func ParseSweep(text string) ([]Setting, error) {
	path, list, ok := strings.Cut(text, "=")
	path = strings.TrimSpace(path)
	if !ok || path == "" || strings.TrimSpace(list) == "" {
		return nil, fmt.Errorf("expected PATH=A,B,…, such as servers.count=10,20,50")
	}
	values, err := splitValues(list)
	if err != nil {
		return nil, err
	}
	sweep := make([]Setting, len(values))
	for i, v := range values {
		switch {
		case v == "":
			return nil, fmt.Errorf("%s: one of the values is empty", path)
		case slices.Contains(values[:i], v):
			return nil, fmt.Errorf("%s: %s stands twice", path, v)
		}
		sweep[i] = Setting{Path: path, Value: v, Flag: "--sweep " + path + "=" + v, Swept: true}
	}
	return sweep, nil
}

// splitValues splits a list at the commas outside of braces and brackets.
func splitValues(list string) ([]string, error) {
	var values []string
	var open []byte // the brackets that are to come
	start := 0
	for i := range len(list) {
		switch c := list[i]; c {
		case '{', '[':
			open = append(open, c+2) // in ASCII both pairs are two apart
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, fmt.Errorf("%q: braces or brackets do not match", list)
			}
			open = open[:len(open)-1]
		case ',':
			if len(open) == 0 {
				values = append(values, strings.TrimSpace(list[start:i]))
				start = i + 1
			}
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("%q: braces or brackets do not match", list)
	}
	return append(values, strings.TrimSpace(list[start:])), nil
}

// MaxPoints is the most points that sweeps may have together: each is a scenario of its
// own, with a section in the report.
const MaxPoints = 1000

// Grid returns the settings of each point: those that hold everywhere, in their order,
// and one of each sweep, in all combinations; the last sweep runs fastest. Without
// sweeps there is one point. A setting that would undo an earlier one is an error.
func Grid(set []Setting, sweeps ...[]Setting) ([][]Setting, error) {
	order := slices.Clone(set)
	for _, sweep := range sweeps {
		order = append(order, sweep[0])
	}
	for i, later := range order {
		for _, earlier := range order[:i] {
			if earlier.Path == later.Path {
				return nil, fmt.Errorf("%s and %s: expected one value for %s", earlier.flag(), later.flag(), later.Path)
			}
			if rest, below := strings.CutPrefix(earlier.Path, later.Path); below && strings.ContainsAny(rest[:1], ".[") {
				return nil, fmt.Errorf("%s would undo %s: expected the whole before the part", later.flag(), earlier.flag())
			}
		}
	}
	points := [][]Setting{set}
	for _, sweep := range sweeps {
		if len(points)*len(sweep) > MaxPoints {
			return nil, fmt.Errorf("the sweeps have more than %d points", MaxPoints)
		}
		var finer [][]Setting
		for _, p := range points {
			for _, s := range sweep {
				finer = append(finer, append(slices.Clone(p), s))
			}
		}
		points = finer
	}
	return points, nil
}

// vary reads the scenario once more, with the settings. The document is the file in the
// size that is played, without mistakes so far.
func vary(doc *strict.Document, size Size, settings []Setting) (*Scenario, error) {
	s := Default()
	var swept []string
	for _, one := range settings {
		doc.Set(one.Path, one.Value, one.flag())
		s.Set = append(s.Set, one.String())
		if one.Swept {
			swept = append(swept, one.String())
		}
	}
	doc.Decode(&s)
	s.validate(doc.Reportf)
	if size == Live {
		s.validateLive(doc.Reportf)
	} else {
		s.validateSim(doc.Reportf)
	}
	if err := doc.Err(); err != nil {
		return nil, blame(err, settings)
	}
	if swept != nil {
		s.Name += "{" + strings.Join(swept, ",") + "}"
		doc.Set("name", strconv.Quote(s.Name), "")
	}
	var err error
	s.Text, err = doc.Marshal()
	return &s, err
}

// blame says of mistakes that stand in a file that they are mistakes with these settings:
// without them the file has none.
func blame(err error, settings []Setting) error {
	errs, ok := err.(strict.Errors)
	if !ok || len(settings) == 0 {
		return err
	}
	var flags []string
	for _, s := range settings {
		flags = append(flags, s.flag())
	}
	for i := range errs {
		if !slices.Contains(flags, errs[i].File) {
			errs[i].Message += " (with " + strings.Join(flags, " ") + ")"
		}
	}
	return errs
}
