package scenario_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

func TestSubject(t *testing.T) {
	s := scenario.Default()
	s.Proxy.Retries.Attempts = 1
	strategy := func(name string, change func(*config.Strategy)) config.Policies {
		p := s.Proxy
		p.Strategy = config.NewStrategy(name)
		if change != nil {
			change(&p.Strategy)
		}
		return p
	}
	limited := func(p config.Policies, limit, queue int, wait time.Duration) config.Policies {
		p.Concurrency = &config.Concurrency{Name: "fixed", Limit: limit, Queue: queue, MaxWait: wait}
		return p
	}
	for _, c := range []struct {
		text string
		want config.Policies
	}{
		{"random", strategy("random", nil)},
		{" random\n", strategy("random", nil)},
		{"p2c-ewma", strategy("p2c-ewma", nil)},
		{"p2c-ewma{}", strategy("p2c-ewma", nil)},
		{"p2c-ewma{decay=5s}", strategy("p2c-ewma", func(s *config.Strategy) { s.Decay = 5 * time.Second })},
		{"p2c-ewma{decay=5s,choices=3}", strategy("p2c-ewma", func(s *config.Strategy) { s.Decay, s.Choices = 5*time.Second, 3 })},
		{"p2c-ewma{ decay=5s, choices=3 }", strategy("p2c-ewma", func(s *config.Strategy) { s.Decay, s.Choices = 5*time.Second, 3 })},
		{"least-requests+fixed", limited(strategy("least-requests", nil), 100, 0, time.Second)},
		{"least-requests+fixed{limit=10,queue=5,max_wait=20ms}", limited(strategy("least-requests", nil), 10, 5, 20*time.Millisecond)},
		{"p2c-ewma{choices=4}+fixed{limit=3}",
			limited(strategy("p2c-ewma", func(s *config.Strategy) { s.Choices = 4 }), 3, 0, time.Second)},
	} {
		got, err := s.Subject(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(scenario.Subject{Name: strings.TrimSpace(c.text), Policies: c.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}

func TestSubjectErrors(t *testing.T) {
	s := scenario.Default()
	for text, want := range map[string]string{
		"":                              `subject "": "" is not a name`,
		"p2c-ewna":                      `subject "p2c-ewna": strategy.name: unknown strategy "p2c-ewna": did you mean "p2c-ewma"?`,
		"random+fixd":                   `subject "random+fixd": concurrency.name: unknown limiter "fixd": did you mean "fixed"?`,
		"random+":                       `subject "random+": "" is not a name`,
		"+fixed":                        `subject "+fixed": "" is not a name`,
		"random+fixed+fixed":            `subject "random+fixed+fixed": expected one strategy and at most one concurrency`,
		"random fixed":                  `subject "random fixed": "random fixed" is not a name`,
		"null":                          `subject "null": "null" is not a name`,
		"~":                             `subject "~": "~" is not a name`,
		"random+null":                   `subject "random+null": "null" is not a name`,
		"{name: random}":                `subject "{name: random}": "" is not a name`,
		"p2c-ewma{decay=5s":             `subject "p2c-ewma{decay=5s": braces do not match`,
		"p2c-ewma{decay=5s}}":           `subject "p2c-ewma{decay=5s}}": braces do not match`,
		"p2c-ewma}decay=5s{":            `subject "p2c-ewma}decay=5s{": braces do not match`,
		"p2c-ewma{decay={5s}}":          `subject "p2c-ewma{decay={5s}}": braces do not match`,
		"p2c-ewma{decay=5s}x":           `subject "p2c-ewma{decay=5s}x": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay: 5s}":           `subject "p2c-ewma{decay: 5s}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay}":               `subject "p2c-ewma{decay}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=}":              `subject "p2c-ewma{decay=}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=5s,}":           `subject "p2c-ewma{decay=5s,}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=5s,choices= }":  `subject "p2c-ewma{decay=5s,choices= }": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{=5s}":                 `subject "p2c-ewma{=5s}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=a=b}":           `subject "p2c-ewma{decay=a=b}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=null}":          `subject "p2c-ewma{decay=null}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=[5s}":           `subject "p2c-ewma{decay=[5s}": expected p2c-ewma{NAME=VALUE,…}`,
		"p2c-ewma{decay=5}":             `subject "p2c-ewma{decay=5}": strategy.decay: expected a duration, found the bare number 5: add a unit, such as 5s`,
		"p2c-ewma{decai=5s}":            `subject "p2c-ewma{decai=5s}": strategy: unknown field "decai": did you mean "decay"?`,
		"p2c-ewma{name=random}":         `subject "p2c-ewma{name=random}": strategy: duplicate key "name": it was given on line 1 already`,
		"p2c-ewma{decay=5s,decay=6s}":   `subject "p2c-ewma{decay=5s,decay=6s}": strategy: duplicate key "decay": it was given on line 1 already`,
		"random+fixed{limit=0,queue=x}": `subject "random+fixed{limit=0,queue=x}": concurrency.limit: expected a number from 1 to 1000000, found 0; concurrency.queue: expected a whole number, found "x"`,
	} {
		_, err := s.Subject(text)
		got := "no error"
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// A subject's limiter stands in place of the scenario's, and leaves that and the other
// subjects as they are.
func TestSubjectsAreApart(t *testing.T) {
	s := scenario.Default()
	s.Proxy.Concurrency = &config.Concurrency{Name: "fixed", Limit: 7, Queue: 8, MaxWait: time.Minute}
	s.Proxy.Health = &config.Health{Path: "/", Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
	first, err := s.Subject("random+fixed{limit=3}")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Subject("random")
	if err != nil {
		t.Fatal(err)
	}
	got := []config.Concurrency{*first.Policies.Concurrency, *second.Policies.Concurrency, *s.Proxy.Concurrency}
	want := []config.Concurrency{
		{Name: "fixed", Limit: 3, MaxWait: time.Second}, // its own, with the defaults
		{Name: "fixed", Limit: 7, Queue: 8, MaxWait: time.Minute},
		{Name: "fixed", Limit: 7, Queue: 8, MaxWait: time.Minute},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with limit 3, without, the scenario's (-want +got):\n%s", diff)
	}
}

func TestSplitSubjects(t *testing.T) {
	for _, c := range []struct {
		list string
		want []string
		err  string
	}{
		{"random", []string{"random"}, ""},
		{"a,b", []string{"a", "b"}, ""},
		{" a , b ", []string{"a", "b"}, ""},
		{"a{x=1,y=2},b+c{z=3,w=4}", []string{"a{x=1,y=2}", "b+c{z=3,w=4}"}, ""},
		{"a,,b", nil, `subjects "a,,b": one of them is empty`},
		{"a,", nil, `subjects "a,": one of them is empty`},
		{"", nil, `subjects "": one of them is empty`},
		{"a{x=1,b", nil, `subject "a{x=1,b": braces do not match`},
		{"a},b{", nil, `subject "a},b{": braces do not match`},
	} {
		got, err := scenario.SplitSubjects(c.list)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: got %v, want %s", c.list, err, c.err)
			}
		} else if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, %v, want %q", c.list, got, err, c.want)
		}
	}
}

// Invariants: no text makes the reader panic; what it accepts is accepted again, with
// the same settings and a name without blanks at its ends; it never touches the
// scenario; and a list of accepted subjects splits into them.
func FuzzSubject(f *testing.F) {
	for _, text := range []string{
		"p2c-ewma", "p2c-ewma{decay=5s,choices=3}+fixed{limit=10,queue=5}", "random+", "{}{", "a{=}", "~", "p2c-ewma{decay=&a 5s}",
		"p2c-ewma{<<=*a}", "p2c-ewma{? a}", "random+fixed{limit=!!int 3}", "p2c-ewma{decay='5s'}", "p2c-ewma{decay=5s,\t}", "\xff{\x00=1}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, untouched := scenario.Default(), scenario.Default()
		scenario.SplitSubjects(text)
		subject, err := s.Subject(text)
		if diff := cmp.Diff(untouched, s); diff != "" {
			t.Fatalf("the scenario was changed (-want +got):\n%s", diff)
		}
		if err != nil {
			return
		}
		again, err := s.Subject(subject.Name)
		if diff := cmp.Diff(subject, again); err != nil || diff != "" {
			t.Fatalf("%q once more: %v (-want +got):\n%s", subject.Name, err, diff)
		}
		list, err := scenario.SplitSubjects(text + ",random")
		if err != nil || len(list) != 2 || list[0] != subject.Name || list[1] != "random" {
			t.Fatalf("split: got %q, %v, want %q and random", list, err, subject.Name)
		}
	})
}
