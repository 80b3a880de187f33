package scenario_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// place is where in the file a message belongs; TestParseErrors looks at that.
var place = regexp.MustCompile(`(?m)^f:\d+:\d+: `)

// said is what is said of a file with something else in a place, in a size.
func said(t *testing.T, file string, size scenario.Size, old, new string) string {
	t.Helper()
	text := strings.Replace(file, old, new, 1)
	if text == file {
		t.Fatalf("%q is not in the file", old)
	}
	_, err := scenario.Parse("f", []byte(text), size)
	if err == nil {
		return ""
	}
	return place.ReplaceAllString(err.Error(), "")
}

// Each case is the good file with another second fault.
func TestFaultErrors(t *testing.T) {
	for _, c := range []struct{ fault, want string }{
		{"kind: slow, factor: 4, every: 1s, for: 100ms, correlated: true", ""},
		{"kind: slow, factor: 0.5, batch: 2, stagger: 1s", ""},
		{"kind: crowding, slope: 0.1", ""},
		{"kind: cold-cache, factor: 3, share: 1", ""},
		{"kind: error, code: 429, share: 0.1", ""},
		{"kind: error, code: 599, share: 1, every: 1s, for: 1ms", ""},
		{"kind: hang, share: 0.01", ""},
		{"kind: refused, every: 1s, for: 999ms", ""},
		{"kind: reset, latency: 1s, share: 0.5", ""},
		{"kind: drain, every: 10s, for: 1s", ""},
		{"kind: remove", ""},
		{"kind: restart, proxies: [2, 0], stagger: 1s", ""},

		{"kind: slow, factor: 1e7", `faults[1].factor: 1e+07: expected 0.000001 to 1000000: how many times as long work takes`},
		{"kind: slow, factor: .nan", `faults[1].factor: expected a finite number, found .nan`},
		{"kind: slow, factor: 1e-300", `faults[1].factor: 1e-300: expected 0.000001 to 1000000: how many times as long work takes`},
		{"kind: slow, factor: 2, for: 1s", `faults[1].for: 1s: expected to stand beside every; a fault that comes once has from and to`},
		{"kind: slow, factor: 2, every: 1s", `faults[1].for: 0s: expected at least 1ms and less than every`},
		{"kind: slow, factor: 2, every: 1s, for: 1s", `faults[1].for: 1s: expected at least 1ms and less than every`},
		{"kind: slow, factor: 2, every: 1us, for: 1ns", `faults[1].every: 1µs: expected at least 1ms
faults[1].for: 1ns: expected at least 1ms and less than every`},
		{"kind: slow, factor: 2, correlated: true", `faults[1].correlated: true: expected to stand beside every`},
		{"kind: slow, factor: 2, shape: ramp, every: 2s, for: 1s", `faults[1].every: a ramp does not come and go`},
		{"kind: pause", ""},
		{"kind: pause, for: 1s", `faults[1].for: 1s: expected to stand beside every; a fault that comes once has from and to`},
		{"kind: flip, factor: 2, share: 1, every: 1s, for: 500ms", `faults[1].for: a fault of kind flip has no for`},
		{"kind: flip, factor: 2, share: 1.5", `faults[1].every: 0s: expected at least 1ms
faults[1].share: 1.5: expected above 0, at most 1`},
		{"kind: antagonist, share: 1, on: 1us", `faults[1].off: 0s: expected at least 1ms
faults[1].share: 1: expected above 0 and below 1
faults[1].on: 1µs: expected at least 1ms`},
		{"kind: crowding", `faults[1].slope: 0: expected above 0, at most 1000000: how much longer work takes for each other request`},
		{"kind: crowding, slope: .inf", `faults[1].slope: expected a finite number, found .inf`},
		{"kind: cold-cache, factor: 2", `faults[1].share: 0: expected above 0, at most 1`},
		{"kind: error, code: 600", `faults[1].code: 600: expected 500 to 599, or 429`},
		{"kind: error", `faults[1].code: 0: expected 500 to 599, or 429`},
		{"kind: error, code: 500, share: -0.1", `faults[1].share: -0.1: expected above 0, at most 1`},
		{"kind: hang, latency: 1s", `faults[1].latency: a fault of kind hang has no latency`},
		{"kind: reset, latency: -1s", `faults[1].latency: -1s: expected at least 0`},
		{"kind: refused, share: 0.5", `faults[1].share: a fault of kind refused has no share`},
		{"kind: drain, factor: 2", `faults[1].factor: a fault of kind drain has no factor`},
		{"kind: restart, servers: [1]", `faults[1].servers: a fault of kind restart befalls proxies, not servers`},
		{"kind: restart, proxies: [3, 0, 0]", `faults[1].proxies[0]: proxy 3 does not exist: expected 0 to 2
faults[1].proxies[2]: proxy 0 stands twice`},
		{"kind: restart, from: 1s, to: 2s", `faults[1].to: 2s: a restart has no end`},
		{"kind: restart, every: 2s, for: 1s", `faults[1].every: a fault of kind restart has no every
faults[1].for: a fault of kind restart has no for`},
		{"kind: hang, proxies: [0]", `faults[1].proxies: a fault of kind hang befalls servers, not proxies`},
		{"kind: hang, zone: 1", `faults[1].zone: zone 1 does not exist: expected 1 to network.zones, 0`},
		{"kind: hang, servers: [1], zone: 1", `faults[1].zone: both zone and servers are given: expected one of them
faults[1].zone: zone 1 does not exist: expected 1 to network.zones, 0`},
		{"kind: hang, batch: 2", `faults[1].batch: batches make a difference only with stagger`},
		{"kind: hang, batch: -1, stagger: -1s", `faults[1].stagger: batch -1, stagger -1s: expected at least 0`},
	} {
		got := said(t, good, scenario.Sim, "kind: error, servers: [9], from: 5s, code: 500, latency: 1ms", c.fault)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.fault, diff)
		}
	}
}

// Each case is the good file, without its live block, with other clients, servers or
// distances.
func TestSettingErrors(t *testing.T) {
	file := good[:strings.Index(good, "live:")]
	const client, count = "client: {timeout: 2s, retries: 0}", "  count: 10"
	for _, c := range []struct{ old, new, want string }{
		{client, "client: {timeout: 2s, retries: 0, budget: 0.1, backoff: 1s}", ""},
		{client, "client: {retries: 101, budget: -1, backoff: -1s}", `client.retries: 101: expected 0 to 100
client.budget: -1: expected 0 to 100
client.backoff: -1s: expected 0 to 24h0m0s`},
		{client, "client: {timeout: 25h, backoff: 25h}", `client.timeout: 25h0m0s: expected at most 24h0m0s
client.backoff: 25h0m0s: expected 0 to 24h0m0s`},
		{client, "network: {delay: 1ms, zones: 2, between: 1ms, links: [{proxies: [0], delay: 1s}], probe_loss: 1}", ""},
		{client, "network: {delay: -1ms, zones: 101, probe_loss: 2}", `network.delay: -1ms: expected 0 to 1h
network.zones: 101: expected 0 to 100
network.probe_loss: 2: expected 0 to 1`},
		{client, "network: {between: 2h}", `network.between: 2h0m0s: expected 0 to 1h
network.between: 2h0m0s: there are no two zones (set network.zones)`},
		{client, "network: {links: [{proxies: [3], servers: [10], delay: 0}, {delay: 1s}]}", `network.links[0].proxies[0]: proxy 3 does not exist: expected 0 to 2
network.links[0].servers[0]: server 10 does not exist: expected 0 to 9
network.links[0].delay: 0s: expected above 0, at most 1h`},
		{count, "  count: 10\n  discipline: lifo\n  abandoned: cancle", `servers.discipline: unknown discipline "lifo": did you mean "fifo"?
servers.abandoned: unknown abandoned "cancle": did you mean "cancel"?`},
		{count, "  count: 10\n  reports: {loss: 0.5}",
			`servers.reports.loss: 0.5: there are no reports to lose (set servers.reports.enabled)`},
		{count, "  count: 10\n  reports: {enabled: true, loss: 1.5, silent: -1}", `servers.reports.loss: 1.5: expected 0 to 1
servers.reports.silent: -1: expected 0 to 1`},
		{count, "  count: 10\n  reports: {silent: 0.5}", `servers.reports.silent: 0.5: no server reports (set servers.reports.enabled)`},
		{count, "  count: 10\n  speed: {spread: 0.5, slow_share: 2, slow_factor: -1}", `servers.speed.spread: 0.5: expected 1 to 1000000
servers.speed.slow_share: 2: expected 0 to 1
servers.speed.slow_factor: -1: expected 0.000001 to 1000000`},
		{count, "  count: 10\n  speed: {spread: 10, slow_share: 0.5}", `servers.speed: slow_share and slow_factor: expected both or neither`},
		{count, "  count: 10\n  speed: {spread: 10, slow_share: 0.5, slow_factor: 3, keep_capacity: true}", ""},
		{client, "classes: [{name: \"\", share: 0, service: {law: constant, mean: 0}}]", `classes[0].name: expected a name
classes[0].share: 0: expected above 0
classes[0].service: law constant: mean 0s: expected above 0`},
		{client, "classes: [{name: a, share: 0.5, service: {law: constant, mean: 1s}}, {name: b, share: 7, service: {law: constant, mean: 2s}}]", ""},
	} {
		got := said(t, file, scenario.Sim, c.old, c.new)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.new, diff)
		}
	}
}

// What only the simulator can play is said of the live size, wherever it comes from.
func TestLiveErrors(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"  duration: 10s", "  duration: 10m", ""},
		{"  duration: 10s", "  network: {delay: 1ms}", `network: the live size has the loopback interface only (set live.network to null)`},
		{"  duration: 10s", "  network: {probe_loss: 0.1}", `network: the live size has the loopback interface only (set live.network to null)`},
		{"  duration: 10s", "  network: {zones: 3}", ""},
		{"  duration: 10s", "  client: {retries: 2}", `client.retries: 2: clients try again only in the simulator (set live.client.retries to 0)`},
		{"count: 4,", "count: 4, reports: {enabled: true},",
			`servers.reports: servers report their load only in the simulator (set live.servers.reports to null)`},
		{"count: 4,", "count: 4, discipline: sharing, abandoned: cancel, speed: {spread: 3},", ""},
		{"kind: slow, servers: [3], from: 1s, factor: 2", "kind: drain",
			`faults[0].kind: a fault of kind drain is played only in the simulator (set live.faults)`},
		{"kind: slow, servers: [3], from: 1s, factor: 2", "kind: remove",
			`faults[0].kind: a fault of kind remove is played only in the simulator (set live.faults)`},
		{"kind: slow, servers: [3], from: 1s, factor: 2", "kind: restart",
			`faults[0].kind: a fault of kind restart is played only in the simulator (set live.faults)`},
		{"kind: slow, servers: [3], from: 1s, factor: 2", "kind: refused, every: 2s, for: 1s", ""},
		{"kind: slow, servers: [3], from: 1s, factor: 2", "kind: hang, share: 0.1", ""},
		{"  duration: 10s", "  arrivals: {law: closed, clients: 3, rate: null}",
			`arrivals.law: clients wait for their answers only in the simulator (set live.arrivals, with null for clients and think)`},
	} {
		for _, size := range []scenario.Size{scenario.Sim, scenario.Live} {
			if diff := cmp.Diff(c.want, said(t, good, size, c.old, c.new)); diff != "" {
				t.Errorf("%s, size %d (-want +got):\n%s", c.new, size, diff)
			}
		}
	}
}
