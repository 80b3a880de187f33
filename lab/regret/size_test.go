package regret

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

func TestResize(t *testing.T) {
	const ten = "duration: 60s\nwarm_up: 5s\nservers: {count: 10}\n"
	for _, c := range []struct {
		text               string
		endpoints, proxies int
		want               string
	}{
		{ten, 0, 0, ""},
		{ten, 10, 1, ""},
		{ten, 0, 20, "proxies=20"},
		// What is steady takes as long as before in requests, within bounds.
		{ten + "arrivals: {load: 0.7}\n", 20, 0, "servers.count=20 duration=32.5s"},
		{ten + "arrivals: {load: 0.7}\n", 5, 0, "servers.count=5 duration=1m55s"},
		{ten + "arrivals: {load: 0.7}\n", 200, 0, "servers.count=200 duration=15s"},
		{ten + "warm_up: 20s\narrivals: {load: 0.7}\n", 200, 0, "servers.count=200 duration=40s"},
		{"duration: 12s\nwarm_up: 5s\nservers: {count: 10}\n", 200, 0, "servers.count=200 arrivals.rate=2000 duration=12s"},
		{ten + "faults: [{kind: flip, every: 5s, factor: 4, share: 0.5}]\n", 200, 0, "servers.count=200 arrivals.rate=2000 duration=25s"},
		{ten + "faults: [{kind: antagonist, share: 0.6, on: 1s, off: 3s}]\n", 200, 0, "servers.count=200 arrivals.rate=2000 duration=21s"},
		// The load of a server stays, and so do times.
		{ten + "arrivals: {phases: [{for: 8s, load: 0.8}, {for: 4s, rate: 30}]}\n", 20, 0, "servers.count=20 arrivals.phases[1].rate=60"},
		{ten + "arrivals: {law: mmpp, rate: 10, burst: {factor: 3, on: 1s, off: 1s}}\n", 20, 0, "servers.count=20 arrivals.rate=20"},
		{ten + "arrivals: {rate: 10, wave: {amplitude: 0.5, period: 10s}}\n", 20, 0, "servers.count=20 arrivals.rate=20"},
		{ten + "arrivals: {law: closed, clients: 7}\n", 20, 0, "servers.count=20 arrivals.clients=14 duration=32.5s"},
		{ten + "arrivals: {law: closed, clients: 1}\n", 2, 0, "servers.count=2 arrivals.clients=1 duration=4m40s"},
		{ten + "faults: [{kind: slow, from: 6s, factor: 4}]\n", 20, 0, "servers.count=20 arrivals.rate=200"},
		{ten + "faults: [{kind: slow, to: 20s, factor: 4}]\n", 20, 0, "servers.count=20 arrivals.rate=200"},
		{ten + "faults: [{kind: slow, factor: 4, shape: ramp}]\n", 20, 0, "servers.count=20 arrivals.rate=200"},
		{ten + "faults: [{kind: cold-cache, factor: 4, share: 0.5}]\n", 20, 0, "servers.count=20 arrivals.rate=200"},
		{ten + "faults: [{kind: restart}]\n", 20, 0, "servers.count=20 arrivals.rate=200"},
		{ten + "faults: [{kind: slow, factor: 2, stagger: 5s}]\n", 20, 0, "faults[0].batch=2 servers.count=20 arrivals.rate=200"},
		// Whom a fault befalls keeps its share.
		{ten + "faults: [{kind: slow, servers: [0], to: 9s, factor: 2}]\n", 30, 0, "faults[0].servers=[0, 1, 2] servers.count=30 arrivals.rate=300"},
		{ten + "faults: [{kind: slow, servers: [9, 1], to: 9s, factor: 2}]\n", 20, 0, "faults[0].servers=[18, 19, 2, 3] servers.count=20 arrivals.rate=200"},
		{ten + "faults: [{kind: slow, servers: [9, 1], to: 9s, factor: 2}]\n", 5, 0, "faults[0].servers=[4] servers.count=5 arrivals.rate=50"},
		{ten + "faults: [{kind: slow, servers: [9], to: 9s, factor: 2}]\n", 3, 0, "faults[0].servers=[2] servers.count=3 arrivals.rate=30"},
		{ten + "faults: [{kind: refused, to: 9s, batch: 2, stagger: 5s}]\n", 50, 0, "faults[0].batch=10 servers.count=50 arrivals.rate=500"},
		{ten + "faults: [{kind: refused, to: 9s, stagger: 5s}]\n", 50, 0, "faults[0].batch=5 servers.count=50 arrivals.rate=500"},
		{ten + "faults: [{kind: refused, to: 9s, batch: 2, stagger: 5s}]\n", 2, 0, "faults[0].batch=1 servers.count=2 arrivals.rate=20"},
		{ten + "proxies: 4\nfaults: [{kind: restart, from: 9s, stagger: 5s}]\n", 0, 20, "faults[0].batch=5 proxies=20"},
		{ten + "proxies: 4\nfaults: [{kind: restart, proxies: [1, 3], from: 9s}]\n", 0, 8, "faults[0].proxies=[2, 3, 6, 7] proxies=8"},
		{ten + "proxies: 4\nfaults: [{kind: restart, from: 9s, stagger: 5s}]\n", 20, 0, "servers.count=20 arrivals.rate=200"},
		{ten + "proxies: 2\nnetwork: {links: [{proxies: [1], servers: [5, 6], delay: 1ms}]}\n", 20, 4,
			"network.links[0].servers=[10, 11, 12, 13] network.links[0].proxies=[2, 3] proxies=4 servers.count=20 arrivals.rate=200 duration=32.5s"},
	} {
		if !strings.Contains(c.text, "arrivals:") {
			c.text += "arrivals: {rate: 100}\n"
		}
		// The last of two lines for a key is meant.
		lines := strings.SplitAfter(c.text, "\n")
		c.text = strings.Join(slices.DeleteFunc(lines, func(l string) bool {
			return l == "warm_up: 5s\n" && strings.Count(c.text, "warm_up:") == 2
		}), "")
		settings, err := Resize(parse(t, c.text), c.endpoints, c.proxies)
		var got []string
		for _, s := range settings {
			got = append(got, s.String())
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%sfor %d, %d:\ngot  %s, %v\nwant %s", c.text, c.endpoints, c.proxies, strings.Join(got, " "), err, c.want)
		}
	}
	trace := parse(t, "arrivals: {law: trace, file: x}\n")
	if _, err := Resize(trace, 20, 0); err == nil {
		t.Error("a trace is played with another number of servers")
	}
	if settings, err := Resize(trace, 0, 5); err != nil || len(settings) != 1 {
		t.Errorf("a trace with more proxies: got %v, %v", settings, err)
	}
}

// The images of the numbers are the new numbers, each once and in order; of what grows
// each number has one, and a prefix keeps its share to half a server.
func TestImages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := part{rapid.IntRange(1, 60).Draw(t, "from"), rapid.IntRange(1, 300).Draw(t, "to")}
		var joined []int
		for i := range p.from {
			if image := p.list([]int{i}); p.to >= p.from || p.first(i) < p.first(i+1) {
				joined = append(joined, image...)
			} else if len(image) != 1 || image[0] < 0 || image[0] >= p.to {
				t.Fatalf("%+v: %d becomes %v", p, i, image)
			}
		}
		var want []int
		for i := range p.to {
			want = append(want, i)
		}
		if !slices.Equal(joined, want) {
			t.Fatalf("%+v: together the images are %v", p, joined)
		}
		k := rapid.IntRange(1, p.from).Draw(t, "k")
		var prefix []int
		for i := range k {
			prefix = append(prefix, i)
		}
		share := float64(k) / float64(p.from) * float64(p.to)
		if n := len(p.list(prefix)); math.Abs(float64(n)-share) > 0.5 && n != 1 {
			t.Fatalf("%+v: %d become %d, want %.1f", p, k, n, share)
		}
	})
}

// Every scenario of the catalogue can be had in other sizes: the settings are accepted,
// the load stays, times of faults stay, and each of them befalls about the same share.
func TestResizeCatalogue(t *testing.T) {
	dir := filepath.Join("..", "..", scenario.Dir)
	names, err := scenario.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		own, err := scenario.Load(dir, name, scenario.Sim)
		if err != nil {
			t.Fatal(err)
		}
		for _, endpoints := range []int{0, 10, 50, 200} {
			for _, proxies := range []int{0, 1, 20} {
				settings, err := Resize(own, endpoints, proxies)
				if err != nil {
					t.Fatal(err)
				}
				s, err := scenario.Load(dir, name, scenario.Sim, settings...)
				if err != nil {
					t.Fatal(err)
				}
				// Of six there is no exact share in ten.
				if diff := cmp.Diff(invariants(own), invariants(s), cmp.AllowUnexported(invariant{}), cmp.Comparer(func(a, b float64) bool { return near(a, b, 0.07) })); diff != "" {
					t.Errorf("%s, %d endpoints, %d proxies (-own +resized):\n%s", name, endpoints, proxies, diff)
				}
				if endpoints > 0 && s.Servers.Count != endpoints || proxies > 0 && s.Proxies != proxies {
					t.Errorf("%s: got %d, %d, want %d, %d", name, s.Servers.Count, s.Proxies, endpoints, proxies)
				}
			}
		}
	}
}

// invariant is what is the same in every size.
type invariant struct {
	what  string
	share float64 // of the servers that it befalls
	last  time.Duration
}

func invariants(s *scenario.Scenario) []invariant {
	all := []invariant{{what: fmt.Sprintf("%s: load %.3f after %v", s.Name, s.MaxOffered(), s.WarmUp)}}
	for i := range s.Faults {
		f := &s.Faults[i]
		of := len(s.Befalls(f))
		one := invariant{what: fmt.Sprint(f.Kind, f.From, f.To), share: float64(of) / float64(s.Servers.Count)}
		if f.Kind != scenario.Restart { // one proxy has nobody to come after it
			one.last = f.Stagger * time.Duration((of-1)/max(1, f.Batch))
		}
		all = append(all, one)
	}
	return all
}
