package serve_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// Every listener is guarded, beneath TLS, too, and after a reload; and what it refuses is
// counted and logged.
func TestListenersAreGuarded(t *testing.T) {
	a := newAuthority(t)
	secure := ", tls: {" + a.issue(t, "site", "site.example") + "}"
	for name, listener := range map[string]string{"plain": "", "TLS": secure} {
		t.Run(name, func(t *testing.T) {
			log := &witness.Log{}
			o := options()
			o.Log = slog.New(slog.NewJSONHandler(log, nil))
			file := parse(t, backend(t, func(http.ResponseWriter, *http.Request) {}), listener+", max_headers: 5", "log: {access: true}", "")
			s := startWith(t, file, o)
			for _, tt := range []struct {
				send   string
				status int
				reason string
			}{
				{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed"},
				{"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\nX: 3\r\nX: 4\r\nX: 5\r\nConnection: close\r\n\r\n", 431, "too-many-headers"},
				{"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 204, ""},
			} {
				var c net.Conn
				var err error
				if listener == "" {
					c, err = net.Dial("tcp", s.Addresses()[0])
				} else {
					c, err = tls.Dial("tcp", s.Addresses()[0], &tls.Config{ServerName: "site.example", RootCAs: a.pool})
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(witness.Bound))
				io.WriteString(c, tt.send)
				got, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				got.Body.Close()
				if got.StatusCode != tt.status {
					t.Errorf("%q: got %d, want %d", tt.send, got.StatusCode, tt.status)
				}
				if tt.reason == "" {
					continue
				}
				if want := fmt.Sprintf(`evenkeel_rejections_total{reason=%q,route="none"} 1`, tt.reason); !strings.Contains(s.get(s.admin()+"/metrics").body, want) {
					t.Errorf("metrics: want %s", want)
				}
			}
			if got := log.String(); strings.Count(got, `"reason":"malformed"`) != 1 {
				t.Errorf("access log: got %s, want a line about what was refused", got)
			}
		})
	}
}

// The settings of a route reach its requests.
func TestRoutesHaveTheirOwnPolicy(t *testing.T) {
	dead := func() string { // nobody listens there
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	}
	text := fmt.Sprintf(`
version: 1
listeners: ["127.0.0.1:0"]
admin: {address: "127.0.0.1:0"}
pools:
  - {name: web, strategy: round-robin, endpoints: [%q, %q], breaker: {enabled: false}, retries: {attempts: 2}, panic_threshold: 0}
routes:
  - {pool: web, name: again}
  - {pool: web, name: once, path: /once, retries: 1, headers: [{name: X-Not, absent: true}], hosts: ["*.example"], max_body_bytes: 3}
`, dead(), dead())
	file, err := config.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, file)
	for _, tt := range []struct {
		path, host, body string
		status           int
		attempts         string
	}{
		{"/", "a.example", "", 502, "2"},
		{"/once", "a.example", "", 502, "3"},
		{"/once", "example", "", 502, "5"},
		{"/once", "a.example", "four", 413, "5"},
	} {
		r, err := http.NewRequest("GET", s.public()+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host, r.Close = tt.host, true
		got, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		sum := 0
		for line := range strings.Lines(s.get(s.admin() + "/metrics").body) {
			var n int
			if strings.HasPrefix(line, "evenkeel_attempts_total{") {
				fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n)
				sum += n
			}
		}
		if got.StatusCode != tt.status || fmt.Sprint(sum) != tt.attempts {
			t.Errorf("%s of %s: got %d and %d attempts so far, want %d and %s", tt.path, tt.host, got.StatusCode, sum, tt.status, tt.attempts)
		}
	}
}
