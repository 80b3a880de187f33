package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// talkative is an endpoint that says more than it is asked for: to each request it answers
// twice. It returns its URL.
func talkative(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, answer+answer)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

// What libraries tell the standard logger is in the log as anything else, and only there
// where somebody debugs: net/http says so of an endpoint that answers without being asked.
func TestEveryLineOfTheLogIsJSON(t *testing.T) {
	url := talkative(t)
	for level, told := range map[string]bool{"debug": true, "info": false} {
		path := filepath.Join(t.TempDir(), "evenkeel.yaml")
		text := fmt.Sprintf("version: 1\nlisteners: [\"127.0.0.1:0\"]\nadmin: {address: \"127.0.0.1:0\"}\nlog: {level: %s}\npools: [{name: web, endpoints: [%q]}]\n", level, url)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := launch(t, "run", "-c", path).ready(t)
		said := func() bool { return strings.Contains(p.log.String(), "Unsolicited response") }
		if told {
			witness.Eventually(t, "a line about what nobody asked for", func() bool {
				get("http://" + p.proxy)
				return said()
			})
		} else {
			for range 20 {
				get("http://" + p.proxy)
			}
		}
		p.Process.Kill()
		<-p.ended
		if said() != told {
			t.Errorf("at level %s: told of it: got %v, want %v", level, !told, told)
		}
		for line := range strings.Lines(p.log.String()) {
			var entry struct{ Level, Msg string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Msg == "" {
				t.Errorf("at level %s: got the line %q, want an object of JSON with a message", level, line)
			}
			if strings.Contains(entry.Msg, "Unsolicited") && entry.Level != "DEBUG" {
				t.Errorf("level of what the library says: got %s, want DEBUG", entry.Level)
			}
		}
	}
}
