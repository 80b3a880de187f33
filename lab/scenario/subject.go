package scenario

import (
	"fmt"
	"strings"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Subject is what is compared: the pool's settings under a name.
//
// A subject is written as a strategy, then limiters after plus signs, each with its
// settings in braces:
//
//	p2c-ewma
//	p2c-ewma{decay=5s}
//	least-requests+fixed{limit=100,queue=50}
type Subject struct {
	Name     string
	Policies config.Policies
}

// Subject reads a subject. Its strategy and its limiter, if it has one, stand in place
// of those of the scenario's proxy, with the defaults of what they do not set; the rest
// is as the scenario's proxy has it.
func (s *Scenario) Subject(text string) (Subject, error) {
	subject := Subject{Name: strings.TrimSpace(text), Policies: s.Proxy}
	parts, err := split(subject.Name, '+')
	if err != nil {
		return subject, err
	}
	if len(parts) > 1 {
		subject.Policies.Concurrency = nil
	}
	var b strings.Builder
	for i, part := range parts {
		key := "concurrency"
		switch i {
		case 0:
			key = "strategy"
		case 1:
		default:
			return subject, fmt.Errorf("subject %q: expected one strategy and at most one limiter", text)
		}
		flow, err := flow(part)
		if err != nil {
			return subject, fmt.Errorf("subject %q: %v", text, err)
		}
		fmt.Fprintf(&b, "%s: %s\n", key, flow)
	}
	doc, err := strict.Parse("subject", []byte(b.String()))
	if err != nil {
		return subject, fmt.Errorf("subject %q: expected STRATEGY{NAME=VALUE,…}+LIMITER{…}", text)
	}
	doc.Decode(&subject.Policies)
	subject.Policies.Validate(doc.Reportf)
	if err := doc.Err(); err != nil {
		return subject, fmt.Errorf("subject %q: %s", text, messages(err))
	}
	return subject, nil
}

// SplitSubjects splits a list at the commas outside of braces.
func SplitSubjects(list string) ([]string, error) {
	parts, err := split(list, ',')
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
		if parts[i] == "" && err == nil {
			err = fmt.Errorf("subjects %q: one of them is empty", list)
		}
	}
	return parts, err
}

// split splits at a separator outside of braces.
func split(text string, separator byte) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth--
		case separator:
			if depth == 0 {
				parts = append(parts, text[start:i])
				start = i + 1
			}
		}
		if depth < 0 || depth > 1 {
			break
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("subject %q: braces do not match", text)
	}
	return append(parts, text[start:]), nil
}

// flow turns NAME{A=1,B=2} into the YAML {name: NAME, A: 1, B: 2}.
func flow(part string) (string, error) {
	name, rest, braced := strings.Cut(part, "{")
	if !plain(name) {
		return "", fmt.Errorf("%q is not a name", name)
	}
	malformed := fmt.Errorf("expected %s{NAME=VALUE,…}", name)
	settings, closed := strings.CutSuffix(rest, "}")
	if braced != closed {
		return "", malformed
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{name: %s", name)
	if strings.TrimSpace(settings) != "" {
		for setting := range strings.SplitSeq(settings, ",") {
			key, value, _ := strings.Cut(setting, "=")
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			if !plain(key) || !plain(value) {
				return "", malformed
			}
			fmt.Fprintf(&b, ", %s: %s", key, value)
		}
	}
	return b.String() + "}", nil
}

// plain tells whether YAML reads the text as itself: not as nothing at all, which would
// leave a default, and not as anything with a structure.
func plain(text string) bool {
	return text != "" && text != "~" && !strings.EqualFold(text, "null") &&
		!strings.ContainsAny(text, ":=#&*!|>'\"%@`{}[], \t\r\n")
}

// messages are the errors without places, which a subject does not have.
func messages(err error) string {
	errs, ok := err.(strict.Errors)
	if !ok {
		return err.Error()
	}
	var all []string
	for _, e := range errs {
		all = append(all, e.Message)
	}
	return strings.Join(all, "; ")
}
