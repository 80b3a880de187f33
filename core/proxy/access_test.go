package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// Whatever a client sends, the access log is one line of JSON for each request, without
// control characters, and without what is secret.
func TestAccessLogIsEscaped(t *testing.T) {
	log := &witness.Log{}
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), access: slog.New(slog.NewJSONHandler(log, nil))})
	for _, head := range []string{
		"GET /%22quoted%22%5C HTTP/1.1\r\nHost: a\r\n",
		"GET /%1b%5b31mred%0a%7b HTTP/1.1\r\nHost: a\r\n",
		"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n",
		"GET /?token=secret HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\nCookie: session=secret\r\n",
		"\"{}\" / HTTP/1.1\r\nHost: a\r\n",
		"GET / HTTP/1.1\r\nHost: a\x1b[31m\r\n",
	} {
		c := g.dial(t)
		fmt.Fprint(c, head+"Connection: close\r\n\r\n")
		io.Copy(io.Discard, c)
	}
	g.settled(t)
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(line, "secret") {
			t.Errorf("got a line %q, want JSON without control characters and secrets", line)
		}
	}
	if len(lines) < 4 {
		t.Errorf("got %d lines, want one for each request:\n%s", len(lines), log)
	}
}
