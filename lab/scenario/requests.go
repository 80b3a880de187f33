package scenario

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Requests are what is asked for over real HTTP, in turn. The zero value is GET /. The
// simulator's servers do not look at it.
type Requests struct {
	File string `yaml:"file,omitempty" doc:"A file of vegeta targets (its formats http and json) or results (gob, csv, json), relative to the folder of this one: request n is its n-th, and after the last the first again. Methods, paths, headers and bodies are taken over (of results methods and paths), hosts are not. Left out: GET /. Only over real HTTP."`

	// Targets are what stands in the file: there when [Load] has read it.
	Targets []Target
}

// Target is one thing to ask for.
type Target struct {
	Method string
	URL    *url.URL // of which path and query matter
	Header http.Header
	Body   []byte
}

// maxBodies is how many bytes all bodies of a file of targets may have together.
const maxBodies = 64 << 20

// readTargets reads the file of targets or results. What is wrong with it is reported as
// strict.Errors.
func readTargets(path string) ([]Target, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	targets, err := parseTargets(f, func(body string) ([]byte, error) {
		if !filepath.IsAbs(body) {
			body = filepath.Join(filepath.Dir(path), body)
		}
		return os.ReadFile(body)
	})
	if one, ok := errors.AsType[strict.Error](err); ok {
		one.File = path
		return nil, strict.Errors{one}
	}
	return targets, err
}

// parseTargets reads targets or results; open reads a body that stands in a file of its own.
func parseTargets(r io.Reader, open func(string) ([]byte, error)) ([]Target, error) {
	var targets []Target
	var err error
	b, head := peek(r)
	switch encoding := encodingOf(head); encoding {
	case jsons:
		targets, err = jsonTargets(b)
	case noResults:
		targets, err = httpTargets(b, open)
	default:
		var all []result
		if all, err = readResults(encoding, b); err == nil {
			targets, err = targetsOf(all)
		}
		if err != nil {
			err = strict.Error{Message: err.Error()}
		}
	}
	if err == nil && len(targets) == 0 {
		err = strict.Error{Message: "expected vegeta's targets (METHOD URL, or JSON, one a line) or results, found none"}
	}
	return targets, err
}

// targetsOf are the methods and paths of results.
func targetsOf(all []result) ([]Target, error) {
	var targets []Target
	for i, r := range all {
		t, err := newTarget(r.Method, r.URL)
		if err != nil {
			return nil, fmt.Errorf("result %d: %w", i+1, err)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

var method = regexp.MustCompile(`^[A-Z]+$`)

func newTarget(verb, address string) (Target, error) {
	if !method.MatchString(verb) {
		return Target{}, fmt.Errorf("expected a method such as GET, found %.40q", verb)
	}
	u, err := url.ParseRequestURI(address)
	if err != nil || u.Opaque != "" {
		return Target{}, fmt.Errorf("expected a URL, found %.80q", address)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return Target{Method: verb, URL: u, Header: http.Header{}}, nil
}

// jsonTargets reads targets as JSON, or results as JSON, whose bodies and headers are
// answers.
func jsonTargets(r *bufio.Reader) (targets []Target, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 2*maxBodies)
	bodies := 0
	for line := 1; lines.Scan(); line++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		var one struct {
			Method, URL string
			Body        []byte
			Header      http.Header
			Timestamp   string
		}
		fail := func(err error) ([]Target, error) {
			return nil, strict.Error{Line: line, Col: 1, Message: err.Error()}
		}
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			return fail(fmt.Errorf("expected a target as JSON: %w", err))
		}
		t, err := newTarget(one.Method, one.URL)
		if err != nil {
			return fail(err)
		}
		if one.Timestamp == "" {
			t.Body = one.Body
			for name, values := range one.Header {
				if err := t.add(name, values...); err != nil {
					return fail(err)
				}
			}
		}
		if bodies += len(t.Body); bodies > maxBodies {
			return fail(errTooMuch)
		}
		targets = append(targets, t)
	}
	if err := lines.Err(); err != nil {
		return nil, strict.Error{Message: err.Error()}
	}
	return targets, nil
}

var errTooMuch = fmt.Errorf("expected bodies of at most %d MB together", maxBodies>>20)

// add adds a header field that can be sent.
func (t *Target) add(name string, values ...string) error {
	if !fieldName.MatchString(name) || len(values) == 0 {
		return fmt.Errorf("expected a header NAME: VALUE, found %.40q", name)
	}
	for _, v := range values {
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("header %s: %.40q cannot be sent", name, v)
		}
	}
	t.Header[name] = append(t.Header[name], values...)
	return nil
}

// fieldName is a token of RFC 9110, section 5.6.2.
var fieldName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// httpTargets reads vegeta's own format: METHOD URL, then header lines, then perhaps @FILE
// with the body; an empty line, or the next METHOD URL, ends a target, and # begins a
// comment.
func httpTargets(r *bufio.Reader, open func(string) ([]byte, error)) (targets []Target, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	inside, bodies := false, 0
	for line := 1; lines.Scan(); line++ {
		text := strings.TrimSpace(lines.Text())
		err := error(nil)
		verb, rest, _ := strings.Cut(text, " ")
		switch {
		case text == "":
			inside = false
		case text[0] == '#':
		case method.MatchString(verb) && rest != "":
			var t Target
			t, err = newTarget(verb, strings.TrimSpace(rest))
			targets, inside = append(targets, t), true
		case !inside:
			err = fmt.Errorf("expected METHOD URL, found %.40q", text)
		case text[0] == '@':
			t := &targets[len(targets)-1]
			t.Body, err = open(text[1:])
			inside = false
			if bodies += len(t.Body); err == nil && bodies > maxBodies {
				err = errTooMuch
			}
		default:
			name, value, _ := strings.Cut(text, ":")
			err = targets[len(targets)-1].add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
		if err != nil {
			return nil, strict.Error{Line: line, Col: 1, Message: err.Error()}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, strict.Error{Message: err.Error()}
	}
	return targets, nil
}
