package peer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// programs makes a folder of programs that print their arguments, and puts it on the path
// before everything else.
func programs(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho $0 of $@\necho and more\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// settings are those of our proxy by default.
func settings() Settings {
	return Settings{
		Listen: "127.0.0.1:8000", Servers: []string{"127.0.0.1:9001", "127.0.0.1:9002"},
		Connect: 2 * time.Second, Header: 10 * time.Second, Total: 30 * time.Second, Attempts: 2,
		Breaker: &Breaker{Failures: 5, OpenFor: 5 * time.Second},
	}
}

func TestNames(t *testing.T) {
	want := []string{
		"haproxy-random2", "haproxy-leastconn", "haproxy-roundrobin",
		"nginx-round-robin", "nginx-least-conn", "nginx-random-two",
	}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range want {
		if p := Find(name); p == nil || p.Name != name || p.About == "" || p.Install == "" || len(p.Takes) == 0 {
			t.Errorf("%s: got %+v", name, p)
		}
	}
	if p := Find("haproxy"); p != nil {
		t.Errorf("haproxy alone: got %+v, want none", p)
	}
}

// Every template says where to listen, where the servers are, and nothing that is not there.
func TestRender(t *testing.T) {
	dir := programs(t, "haproxy", "nginx")
	lines := map[string]string{
		"haproxy-random2": "balance random(2)", "haproxy-leastconn": "balance leastconn", "haproxy-roundrobin": "balance roundrobin",
		"nginx-round-robin": "zone servers 1m;", "nginx-least-conn": "least_conn;", "nginx-random-two": "random two least_conn;",
	}
	for _, name := range Names() {
		r, err := Find(name).Render(settings())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := string(r.Text)
		if filepath.Dir(r.Command[0]) != dir || !slices.Contains(r.Command, r.File) {
			t.Errorf("%s: got %v with %s, want a program in %s that reads it", name, r.Command, r.File, dir)
		}
		for _, want := range append([]string{lines[name], "127.0.0.1:8000"}, settings().Servers...) {
			if want == "" || !strings.Contains(text, want) {
				t.Errorf("%s: got\n%s\nwant %q in it", name, text, want)
			}
		}
		if strings.Contains(text, "no value") || strings.Contains(text, "{{") {
			t.Errorf("%s: got\n%s", name, text)
		}
		for other, line := range lines {
			if other != name && lines[name] != line && strings.Contains(text, "\n    "+line+"\n") && line != "zone servers 1m;" {
				t.Errorf("%s: has %q, which is %s's", name, line, other)
			}
		}
	}
}

// What the policies say stands in the configuration.
func TestPolicies(t *testing.T) {
	programs(t, "haproxy", "nginx")
	for _, c := range []struct {
		name, peer    string
		change        func(*Settings)
		want, without string
	}{
		{"times", "haproxy-leastconn", func(s *Settings) { s.Connect, s.Header, s.Total = 1, 1500*time.Microsecond, 3*time.Second },
			"timeout connect 1ms\n    timeout server 2ms\n    timeout client 3000ms", "ms0"},
		{"no limit", "haproxy-leastconn", func(s *Settings) { s.Header = 0 }, "timeout server 86400000ms", "timeout server 0"},
		{"tries", "haproxy-leastconn", func(s *Settings) { s.Attempts = 3 }, "retries 2\n    option redispatch 1\n    retry-on conn-failure", "retry-on none"},
		{"one try", "haproxy-leastconn", func(s *Settings) { s.Attempts = 1 }, "retries 0\n    option redispatch 1\n    retry-on none\n", "conn-failure"},
		{"no checks", "haproxy-leastconn", func(*Settings) {}, "server s1 127.0.0.1:9002\n", "check inter"},
		{"checks", "haproxy-leastconn", health, "default-server check inter 1000ms fall 3 rise 2 observe layer7 error-limit 5 on-error mark-down\n", "<"},
		{"checks, no breaker", "haproxy-leastconn", func(s *Settings) { health(s); s.Breaker = nil }, "rise 2\n", "observe"},
		{"breaker", "nginx-least-conn", func(s *Settings) { s.Breaker.OpenFor = 4100 * time.Millisecond }, "server 127.0.0.1:9001 max_fails=5 fail_timeout=5s;", "max_fails=0"},
		{"no breaker", "nginx-least-conn", func(s *Settings) { s.Breaker = nil }, "server 127.0.0.1:9001 max_fails=0;", "fail_timeout"},
		{"tries", "nginx-least-conn", func(s *Settings) { s.Attempts = 3 }, "proxy_next_upstream error http_502 http_503 http_504;\n            proxy_next_upstream_tries 3;", " off;\n            proxy_next"},
		{"one try", "nginx-least-conn", func(s *Settings) { s.Attempts = 1 }, "proxy_next_upstream off;", "http_502"},
		{"times", "nginx-least-conn", func(s *Settings) { s.Connect, s.Header = time.Second, 0 }, "proxy_connect_timeout 1000ms;\n            proxy_read_timeout 86400000ms;", "timeout 0"},
	} {
		s := settings()
		c.change(&s)
		r, err := Find(c.peer).Render(s)
		if err != nil {
			t.Errorf("%s, %s: %v", c.peer, c.name, err)
			continue
		}
		if text := string(r.Text); !strings.Contains(text, c.want) || strings.Contains(text, c.without) {
			t.Errorf("%s, %s: got\n%s\nwant %q, and no %q", c.peer, c.name, text, c.want, c.without)
		}
	}
}

func health(s *Settings) {
	s.Health = &Health{Path: "/healthz", Interval: time.Second, Timeout: time.Second, Rise: 2, Fall: 3}
}

// of is a template with the words, and those that are not given.
func of(text string) string {
	for _, word := range []string{"about", "install", "version", "file", "takes"} {
		if !strings.Contains(text, `"`+word+`"`) {
			text = `{{define "` + word + `"}}` + word + `{{end}}` + text
		}
	}
	return text
}

func TestRead(t *testing.T) {
	all, err := read(fstest.MapFS{"other.tmpl": {Data: []byte(of("{{define \"subjects\"}}\n a\n\n b  x y {{end}}{{define \"command\"}}no-such-proxy {{.Listen}}{{end -}}\n{{.Variant}}{{.Servers}}"))}})
	if err != nil || len(all) != 2 || all[0].Name != "other-a" || all[1].Name != "other-b" || all[1].variant != "x y" {
		t.Fatalf("got %+v, %v", all, err)
	}
	// A program that is not there says how one gets it.
	if _, err := all[0].Render(settings()); !errors.Is(err, ErrMissing) || err.Error() != "no-such-proxy is not installed (install)" {
		t.Errorf("got %v", err)
	}
	programs(t, "no-such-proxy")
	r, err := all[1].Render(settings())
	if err != nil || string(r.Text) != "x y[127.0.0.1:9001 127.0.0.1:9002]" || r.File != "file" || r.Command[1] != "127.0.0.1:8000" {
		t.Errorf("got %+v, %v", r, err)
	}
	for name, text := range map[string]string{
		"no words":       "config",
		"no subjects":    of(`{{define "subjects"}} {{end}}`),
		"not a template": "{{",
	} {
		if all, err := read(fstest.MapFS{"x.tmpl": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: got %v, want an error", name, all)
		}
	}
	all, err = read(fstest.MapFS{"x.tmpl": {Data: []byte(of(`{{define "subjects"}}a{{end}}{{define "command"}} {{end}}{{.Nothing}}`))}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].Render(settings()); err == nil || err.Error() != "the template of x-a has an empty command" {
		t.Errorf("no command: got %v", err)
	}
}

func TestVersion(t *testing.T) {
	dir := programs(t, "nginx")
	got, err := Find("nginx-least-conn").Version(context.Background())
	if want := filepath.Join(dir, "nginx") + " of -v"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx"), []byte("#!/bin/sh\necho broken >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find("nginx-least-conn").Version(context.Background()); err == nil || !strings.HasSuffix(err.Error(), "nginx -v: exit status 3: broken") {
		t.Errorf("got %q, %v, want what it said", got, err)
	}
}
