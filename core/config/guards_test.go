package config

import (
	"strings"
	"testing"
	"time"
)

// Each guard at both ends of its range, and beyond them.
func TestGuardRules(t *testing.T) {
	const span = "expected a duration from 0s to 1h0m0s, found "
	for _, test := range []struct{ settings, want string }{
		{"samples: 0", ""},
		{"samples: 10000", ""},
		{"samples: -1", "samples: expected a number from 0 to 10000, found -1"},
		{"samples: 10001", "samples: expected a number from 0 to 10000, found 10001"},
		{"near: 0", ""},
		{"near: 0.99", ""},
		{"near: -0.1", "near: expected a number from 0 to 0.99, found -0.1"},
		{"near: 1", "near: expected a number from 0 to 0.99, found 1"},
		{"outlier: 0", ""},
		{"outlier: 1", ""},
		{"outlier: 1000", ""},
		{"outlier: 0.9", "outlier: expected a number from 1 to 1000, found 0.9"},
		{"outlier: 1001", "outlier: expected a number from 1 to 1000, found 1001"},
		{"grace: 0", ""},
		{"grace: 1000", ""},
		{"grace: -1", "grace: expected a number from 0 to 1000, found -1"},
		{"grace: 1001", "grace: expected a number from 0 to 1000, found 1001"},
		{"penalty: 0s", ""},
		{"penalty: 1h", ""},
		{"penalty: -1s", "penalty: " + span + "-1s"},
		{"penalty: 61m", "penalty: " + span + "1h1m0s"},
		{"explore: 0s", ""},
		{"explore: 1h", ""},
		{"explore: -1s", "explore: " + span + "-1s"},
		{"explore: 61m", "explore: " + span + "1h1m0s"},
		{"slow_start: 0s", ""},
		{"slow_start: 1h", ""},
		{"slow_start: -1s", "slow_start: " + span + "-1s"},
		{"slow_start: 61m", "slow_start: " + span + "1h1m0s"},
		{"scan_up_to: 0", ""},
		{"scan_up_to: 100000", ""},
		{"scan_up_to: -1", "scan_up_to: expected a number from 0 to 100000, found -1"},
		{"scan_up_to: 100001", "scan_up_to: expected a number from 0 to 100000, found 100001"},
		{"most_choices: 2", ""},
		{"most_choices: 1", "most_choices: expected a number from 2 to 16, found 1"},
		{"most_choices: 17", "most_choices: expected a number from 2 to 16, found 17"},
		{"choices: 8", ""},
		{"choices: 5, most_choices: 4", "most_choices: expected a number from 5 to 16, found 4"},
		{"classes: true", ""},
		{"classes: true, reported: true", "classes: does not go with reported"},
		{"peak: true, age: false, drift: false, seed: false, trust: false", ""},
	} {
		text := "version: 1\npools: [{name: a, endpoints: [http://h], strategy: {" + test.settings + "}}]"
		_, err := Parse("f", []byte(text))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: got %v, want no error", test.settings, err)
			}
		} else if err == nil || !strings.HasSuffix(err.Error(), ".strategy."+test.want) {
			t.Errorf("%s: got %v, want %s", test.settings, err, test.want)
		}
	}
}

// Guards belong to strategies that estimate latency, and of these to what they do.
func TestGuardsOfNone(t *testing.T) {
	for _, setting := range []string{
		"samples: 1", "near: 0.1", "outlier: 2", "penalty: 1s", "aside: true", "peak: true", "age: true", "grace: 2", "drift: true", "explore: 1s", "seed: true",
		"slow_start: 1s", "classes: true", "scan_up_to: 1", "most_choices: 2", "trust: true",
	} {
		for _, name := range []string{"round-robin", "p2c-least-requests"} {
			text := "version: 1\npools: [{name: a, endpoints: [http://h], strategy: {name: " + name + ", " + setting + "}}]"
			_, err := Parse("f", []byte(text))
			if want := name + " does not estimate latency and has no settings for that"; err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s with %s: got %v, want %s", name, setting, err, want)
			}
		}
	}
	for setting, want := range map[string]string{
		"scan_up_to: 1":   "scan_up_to: ewma does not draw endpoints and has no scan_up_to",
		"most_choices: 2": "most_choices: ewma does not draw endpoints and has no most_choices",
		"samples: 1":      "",
	} {
		_, err := Parse("f", []byte("version: 1\npools: [{name: a, endpoints: [http://h], strategy: {name: ewma, "+setting+"}}]"))
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("ewma with %s: got %v, want %q", setting, err, want)
		}
	}
}

// What is mentioned is kept, whatever the default; the rest has the defaults of the
// strategy that is named.
func TestGuardsDerive(t *testing.T) {
	all := Guards{7, 0.2, 2, time.Second, false, true, false, 3, false, time.Hour, false, time.Minute, true, 3, 4, false}
	for settings, want := range map[string]Strategy{
		"samples: 7, near: 0.2, outlier: 2, penalty: 1s, aside: false, peak: true, age: false, grace: 3, drift: false, explore: 1h, seed: false, slow_start: 1m, classes: true, scan_up_to: 3, most_choices: 4, trust: false": {
			Name: "p2c-ewma", Decay: 3 * time.Second, Guards: all, Choices: 2},
		"name: ewma": {Name: "ewma", Decay: 3 * time.Second, Guards: Guards{
			Samples: 10, Near: 0.1, Outlier: 3, Penalty: time.Second, Aside: true, Age: true, Grace: 4, Drift: true, Seed: true, Trust: true}},
		"samples: 0": {Name: "p2c-ewma", Decay: 3 * time.Second, Choices: 2, Guards: Guards{
			Near: 0.1, Outlier: 3, Penalty: time.Second, Aside: true, Age: true, Grace: 4, Drift: true, Seed: true, ScanUpTo: 1000, MostChoices: 16, Trust: true}},
		"name: least-requests": {Name: "least-requests"},
	} {
		f, err := Parse("f", []byte("version: 1\npools: [{name: a, endpoints: [http://h], strategy: {"+settings+"}}]"))
		if err != nil {
			t.Errorf("%s: %v", settings, err)
		} else if got := f.Pools[0].Strategy; got != want {
			t.Errorf("%s: got %+v, want %+v", settings, got, want)
		}
	}
}
