package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// named is a backend that says its name.
func named(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	return s.URL
}

// HUP has the file read again; a bad one is said, place by place, and changes nothing.
func TestHangupReloads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evenkeel.yaml")
	write := func(rest string) {
		text := "version: 1\nlisteners: [\"127.0.0.1:0\"]\nadmin: {address: \"127.0.0.1:0\"}\n" + rest
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := func(url string) string { return fmt.Sprintf("pools: [{name: web, endpoints: [%q]}]\n", url) }
	write(pool(named(t, "before")))
	p := launch(t, "run", "-c", path).ready(t)
	serves := func(name string) {
		t.Helper()
		witness.Eventually(t, name, func() bool {
			_, body := get("http://" + p.proxy)
			return body == name
		})
	}
	serves("before")
	write("pools: []\nlog: {level: loud}\n")
	p.signal(t, syscall.SIGHUP)
	witness.Eventually(t, "two mistakes in the log", func() bool {
		return strings.Count(p.log.String(), "configuration not reloaded: everything stays as it was") == 2
	})
	if !strings.Contains(p.log.String(), "evenkeel.yaml:5:") {
		t.Errorf("log: got %s, want the places of the mistakes", p.log)
	}
	serves("before")
	write(pool(named(t, "after")))
	p.signal(t, syscall.SIGHUP)
	serves("after")
	p.signal(t, syscall.SIGTERM)
	if got := p.exit(t); got != 0 {
		t.Errorf("exit code: got %d, want 0; it said\n%s", got, p.log)
	}
}

// Without a file there is nothing to read again, and no reason to end.
func TestHangupWithoutAFile(t *testing.T) {
	p := launch(t, ways(t, named(t, "a"))["flags"]...).ready(t)
	p.signal(t, syscall.SIGHUP)
	witness.Eventually(t, "that there is nothing to reload", func() bool { return strings.Contains(p.log.String(), "nothing to reload") })
	if status, body := get("http://" + p.proxy); status != 200 || body != "a" {
		t.Errorf("afterwards: got %d %q, want 200 a", status, body)
	}
}
