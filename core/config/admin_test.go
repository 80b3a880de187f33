package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProcessRules(t *testing.T) {
	dir := t.TempDir()
	token, empty, missing := filepath.Join(dir, "token"), filepath.Join(dir, "empty"), filepath.Join(dir, "missing")
	for path, text := range map[string]string{token: " secret \nnot this\n", empty: "\nlate\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener := func(rest string) string { return "listeners: [{address: \":1\", " + rest + "}]" }
	pool := func(rest string) string { return "pools: [{name: a, endpoints: [http://h], " + rest + "}]" }
	for name, tt := range map[string]struct{ text, want string }{
		"token":            {"admin: {token_file: " + token + ", hosts: [lb-1.internal]}", ""},
		"empty token":      {"admin: {token_file: " + empty + "}", "2:21: admin.token_file: expected a token in the first line of " + empty},
		"missing token":    {"admin: {token_file: " + missing + "}", "2:21: admin.token_file: cannot read " + missing + ": no such file or directory"},
		"host with a port": {"admin: {hosts: ['lb:80']}", `2:17: admin.hosts[0]: expected a host name without a port, such as lb-1.internal, found "lb:80"`},
		"drain":            {"drain: {delay: 1h, timeout: 1ms}", ""},
		"long delay":       {"drain: {delay: 61m}", "2:16: drain.delay: expected a duration from 0s to 1h0m0s, found 1h1m0s"},
		"no drain":         {"drain: {timeout: 0}", "2:18: drain.timeout: expected a duration above 0, found 0s"},
		"transfer":         {listener("transfer: {stall: 0, min_bytes_per_second: 1}"), ""},
		"short stall":      {listener("transfer: {stall: 1us}"), "2:47: listeners[0].transfer.stall: expected a duration from 1ms to 24h0m0s, found 1µs"},
		"no rate":          {listener("transfer: {min_bytes_per_second: 0}"), "2:62: listeners[0].transfer.min_bytes_per_second: expected a number from 1 to 1000000000, found 0"},
		"body":             {listener("max_body_bytes: -1"), "2:45: listeners[0].max_body_bytes: expected a number from 0 to 1099511627776, found -1"},
		"silence":          {pool("timeouts: {idle: 0}"), ""},
		"negative silence": {pool("timeouts: {idle: -1s}"), "2:59: pools[0].timeouts.idle: expected a duration, or 0 for none, found -1s"},
	} {
		text := "version: 1\n" + tt.text
		if !strings.Contains(text, "pools:") {
			text += "\npools: [{name: a, endpoints: [http://h]}]"
		}
		_, err := Parse("f", []byte(text))
		got := ""
		if err != nil {
			got = strings.ReplaceAll(strings.TrimPrefix(err.Error(), "f:"), "\nf:", "\n")
		}
		if got != tt.want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", name, text, got, tt.want)
		}
	}
	if got, err := (&Admin{TokenFile: token}).Token(); got != "secret" || err != nil {
		t.Errorf("token: got %q, %v, want secret", got, err)
	}
}
