package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/peer"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// installed puts programs of those names on the path that print a version, in place of what
// is there.
func installed(t *testing.T, names ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho "+name+" 1.0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestPeersNamed(t *testing.T) {
	installed(t, "haproxy", "nginx")
	var said strings.Builder
	e := experiment{call: &cli.Call{Context: t.Context(), Stderr: &said}, compare: "p2c-ewma,peers,random"}
	names, err := e.namedSubjects(scenario.Live)
	if want := "p2c-ewma," + strings.Join(peer.Names(), ",") + ",random"; err != nil || strings.Join(names, ",") != want {
		t.Errorf("got %v, %v, want %s", names, err, want)
	}
	if e.skipped != nil || !strings.Contains(said.String(), "nginx-least-conn: nginx 1.0\n") {
		t.Errorf("skipped %v, said\n%s", e.skipped, &said)
	}
}

// Mistakes in a live run are told before anything is played.
func TestLiveMistakes(t *testing.T) {
	dir, out := scenarios(t), filepath.Join(t.TempDir(), "out")
	installed(t)
	proxy := filepath.Join(t.TempDir(), "evenkeel")
	if err := os.WriteFile(proxy, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const usage = "\nTry 'keellab help'.\n"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"run", "--metrics", taken.Addr().String()}, cli.Failed,
			fmt.Sprintf("keellab: --metrics: listen tcp %s: bind: address already in use\n", taken.Addr())},
		{[]string{"run", "--within", "-1s"}, cli.Usage, "keellab: run: --within -1s: expected at least 0" + usage},
		{[]string{"run", "--subjects", "oracle"}, cli.Usage, "keellab: run: subject oracle: it knows what only the simulator can know" + usage},
		{[]string{"run", "--subjects", "haproxy-leastcon"}, cli.Usage, `keellab: run: subject "haproxy-leastcon": strategy.name: unknown strategy "haproxy-leastcon": `},
		{[]string{"sim", "--subjects", "haproxy-leastconn"}, cli.Usage, "keellab: sim: subject haproxy-leastconn: another proxy is played over real HTTP only (keellab run)" + usage},
		{[]string{"sim", "--subjects", "random,peers"}, cli.Usage, "keellab: sim: subject peers: other proxies are played over real HTTP only (keellab run)" + usage},
	} {
		args := append(c.args, "tiny", "--scenarios", dir, "--out", out)
		if args[0] == "run" {
			args = append(args, "--evenkeel", proxy)
		}
		code, stdout, stderr := run(args...)
		if code != c.code || stdout != "" || !strings.HasPrefix(stderr, c.want) {
			t.Errorf("%v: exit %d, %s\ngot  %q\nwant %q", c.args, code, stdout, stderr, c.want)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a mistake has left results: %v", err)
	}
}

// What is not installed is left out, with a reason that says how to get it.
func TestSortOut(t *testing.T) {
	broken := errors.New("broken")
	version := func(name string) (string, error) {
		switch name[0] {
		case 'h':
			return "", fmt.Errorf("h is %w (apt-get install h)", peer.ErrMissing)
		case 'a':
			return "", fmt.Errorf("a is %w (apt-get install a)", peer.ErrMissing)
		case 'x':
			return "", broken
		}
		return "1.0", nil
	}
	there, skipped, err := sortOut([]string{"h1", "n1", "a1", "h2", "n2"}, version)
	want := []string{"skipped: a1: a is not installed (apt-get install a)", "skipped: h1, h2: h is not installed (apt-get install h)"}
	if err != nil || !slices.Equal(there, []string{"n1", "n2"}) || !slices.Equal(skipped, want) {
		t.Errorf("got %v, %q, %v, want n1 and n2, %q", there, skipped, err, want)
	}
	if _, _, err := sortOut([]string{"h1", "x"}, version); err != broken {
		t.Errorf("got %v, want it broken", err)
	}
}
