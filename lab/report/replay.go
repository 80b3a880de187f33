package report

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/evenkeel/evenkeel/lab/record"
)

// plain is what a shell takes as it stands.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+-]+$`)

// quote writes an argument so that a shell takes it as one.
func quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// replay is the command that plays the section's trials again: the same subjects, in the
// simulator to the byte.
func (s *section) replay() string {
	blocks, _ := s.trials()
	command, number := "sim", "--seeds"
	if s.Driver == record.Live {
		command, number = "run", "--blocks"
	}
	var names []string
	for _, sub := range s.Subjects {
		names = append(names, sub.Name)
	}
	text := fmt.Sprintf("keellab %s %s --subjects %s %s %d --seed %d", command, quote(s.Scenario.Scenario),
		quote(strings.Join(names, ",")), number, blocks, s.Seed)
	for _, set := range s.Set {
		text += " --set " + quote(set)
	}
	return text
}
