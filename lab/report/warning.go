package report

import "fmt"

// warning is a line that warns of a section's trials.
type warning struct{ Kind, Text string }

// warnings says which trials do not count and which had no steady state, and why: a line
// for each that is void, and one for each subject with unstable ones, of which there may
// be as many as blocks.
func (s *section) warnings() []warning {
	var list []warning
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		for _, t := range sub.voids() {
			list = append(list, warning{"void", fmt.Sprintf("%s, block %d (seed %d): %s", sub.Name, t.Block, t.Seed, t.Void)})
		}
	}
	for i := range s.Subjects {
		sub := &s.Subjects[i]
		for _, t := range sub.Trials {
			if t.Unstable == "" || t.Void != "" {
				continue
			}
			text := fmt.Sprintf("%s, %d of %s: %s", sub.Name, sub.unstable(), count(len(sub.Trials), "trial"), t.Unstable)
			if sub.unstable() > 1 {
				text += fmt.Sprintf(" (block %d)", t.Block)
			}
			list = append(list, warning{"unstable", text})
			break
		}
	}
	return list
}

// unstable counts the subject's trials that count and had no steady state.
func (s *subject) unstable() int {
	n := 0
	for _, t := range s.Trials {
		if t.Unstable != "" && t.Void == "" {
			n++
		}
	}
	return n
}

// unstable counts those of all subjects.
func (s *section) unstable() int {
	n := 0
	for i := range s.Subjects {
		n += s.Subjects[i].unstable()
	}
	return n
}
