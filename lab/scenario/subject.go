package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/peer"
)

// Subject is what is compared: the pool's settings under a name.
//
// A subject is written as a strategy, then a limiter and other policies after plus signs,
// each with its settings in braces:
//
//	p2c-ewma
//	p2c-ewma{decay=5s}
//	least-requests+fixed{limit=100,queue=50}
//	p2c-ewma+retries{attempts=3,budget_ratio=0.1}+breaker{enabled=false}
//	p2c-ewma+pool{panic_threshold=0}
//	p2c-ewma+gradient2{initial=10}+accept-ratio
//	p2c-ewma+endpoint_concurrency{name=vegas}
//	haproxy-leastconn
//	haproxy-leastconn+health{interval=1s}
type Subject struct {
	Name     string
	Policies config.Policies
	// Oracle: not a strategy, but the simulator's reference, which knows everything.
	Oracle bool
	// Peer is the other proxy that stands in place of ours, over real HTTP only; nil for
	// ours. Of the policies it heeds what its template says.
	Peer *peer.Peer
	// Copy numbers copies of a strategy, from 0 up. In the simulator each has picks of its
	// own: what differs between two copies is chance, by which the lab tests itself.
	Copy int
}

// Oracle is the name of the reference subject (see Subject.Oracle).
const Oracle = "oracle"

// Subject reads a subject. Its strategy and its limiter, if it has one, stand in place
// of those of the scenario's proxy, with the defaults of what they do not set; of other
// policies what is set is laid over the scenario's, and the rest is as the scenario's
// proxy has it.
func (s *Scenario) Subject(text string) (Subject, error) {
	subject := Subject{Name: strings.TrimSpace(text), Policies: s.Proxy}
	if subject.Name == Oracle {
		subject.Oracle = true
		return subject, nil
	}
	parts, err := split(subject.Name, '+')
	if err != nil {
		return subject, err
	}
	var b strings.Builder
	seen := map[string]bool{}
	subject.Peer = peer.Find(parts[0])
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "{")
		if i == 0 && subject.Peer != nil {
			continue
		}
		key := "strategy"
		if i > 0 {
			key = policyOf(name)
		}
		if seen[key] {
			return subject, fmt.Errorf("subject %q: expected one strategy and at most one %s", text, key)
		}
		if subject.Peer != nil && !slices.Contains(subject.Peer.Takes, key) {
			return subject, fmt.Errorf("subject %q: %s has no %s here: expected %s", text, subject.Peer.Name, key, strings.Join(subject.Peer.Takes, ", "))
		}
		seen[key] = true
		settings, err := settingsOf(part)
		if err != nil {
			return subject, fmt.Errorf("subject %q: %v", text, err)
		}
		if key != name { // the name is a setting, too
			settings = append([]string{"name: " + name}, settings...)
		}
		if key == pool {
			b.WriteString(strings.Join(settings, "\n") + "\n")
		} else {
			fmt.Fprintf(&b, "%s: {%s}\n", key, strings.Join(settings, ", "))
		}
	}
	if b.Len() == 0 {
		return subject, nil // another proxy, as it is
	}
	if seen[limiter] {
		subject.Policies.Concurrency = nil
	}
	if seen[endpoints] {
		subject.Policies.EndpointConcurrency = nil
	}
	if seen[shedder] {
		subject.Policies.Shed = nil
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

const (
	// limiter is the policy that a part belongs to unless it names another.
	limiter = "concurrency"
	// endpoints is the part that limits each endpoint: endpoint_concurrency{name=…}.
	endpoints = "endpoint_concurrency"
	// shedder is the policy of a part that names one.
	shedder = "shed"
	// pool is the part with those settings of a pool that have no policy of their own.
	pool = "pool"
)

// policyOf is the policy that a part of a subject after its strategy sets: that of its
// own name, or that of the shedder or the limiter that it names.
func policyOf(part string) string {
	switch part {
	case "retries", "breaker", "hedge", "timeouts", "health", endpoints, pool:
		return part
	}
	if slices.Contains(config.Shedders, part) {
		return shedder
	}
	return limiter
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

// settingsOf are the settings of NAME{A=1,B=2} in YAML: "A: 1", "B: 2".
func settingsOf(part string) ([]string, error) {
	name, rest, braced := strings.Cut(part, "{")
	if !plain(name) {
		return nil, fmt.Errorf("%q is not a name", name)
	}
	malformed := fmt.Errorf("expected %s{NAME=VALUE,…}", name)
	list, closed := strings.CutSuffix(rest, "}")
	if braced != closed {
		return nil, malformed
	}
	var settings []string
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	for setting := range strings.SplitSeq(list, ",") {
		key, value, _ := strings.Cut(setting, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !plain(key) || !plain(value) {
			return nil, malformed
		}
		settings = append(settings, key+": "+value)
	}
	return settings, nil
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
