package config

import (
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Every rule, one step each: a file that breaks only it, and the whole message.
func TestRules(t *testing.T) {
	const head = "version: 1\n"
	pool := func(s string) string { return head + "pools: [{name: a, endpoints: [http://h], " + s + "}]" }
	endpoint := func(s string) string { return head + "pools: [{name: a, endpoints: [" + s + "]}]" }
	route := func(s string) string { return endpoint("http://h") + "\nroutes: [" + s + "]" }
	tests := []struct{ name, text, want string }{
		{"no version", minimal[len(head):], `1:1: version: required, but not given`},
		{"version", "version: 2\n" + minimal[len(head):], `1:10: version: expected 1, the only version there is, found 2`},
		{"no listener", minimal + "listeners: []", `3:12: listeners: expected at least one listener`},
		{"no pool", head, `1:1: pools: expected at least one pool`},
		{"two pools, no route", head + "pools: [{name: a, endpoints: [http://h]}, {name: b, endpoints: [http://h]}]", `1:1: routes: expected at least one route: only a single pool gets one by default`},
		{"address", minimal + `listeners: ["1.2.3.4"]`, `3:13: listeners[0].address: expected host:port, such as 127.0.0.1:8080, found "1.2.3.4"`},
		{"port", minimal + `listeners: [":99999"]`, `3:13: listeners[0].address: expected a port from 0 to 65535 after the colon, found ":99999"`},
		{"host", minimal + `listeners: ["a b:1"]`, `3:13: listeners[0].address: expected an address or a host name before the port, found "a b:1"`},
		{"port 0 twice", minimal + `listeners: [":0", ":0"]`, ``},
		{"address twice", minimal + `listeners: ["LOCALHOST:1", "localhost:01"]`, `3:28: listeners[1].address: "localhost:01" is the address of listeners[0].address already`},
		{"admin's address", minimal + `admin: {address: "127.0.0.1:8080"}`, `3:18: admin.address: "127.0.0.1:8080" is the address of listeners[0].address already`},
		{"admin off", minimal + `admin: {enabled: false, address: ""}`, ``},
		{"no listener address", minimal + "listeners: [{}]", `3:13: listeners[0].address: required, but not given`},
		{"header bytes", minimal + "listeners: [{address: ':1', max_header_bytes: 10}]", `3:47: listeners[0].max_header_bytes: expected a number from 1024 to 16777216, found 10`},
		{"negative timeout", minimal + "listeners: [{address: ':1', idle_timeout: -1s}]", `3:43: listeners[0].idle_timeout: expected a duration, or 0 for none, found -1s`},
		{"sample", minimal + "admin: {decisions: {sample: -1}}", `3:29: admin.decisions.sample: expected a number from 0 to 1000000, found -1`},
		{"keep", minimal + "admin: {decisions: {keep: 0}}", `3:27: admin.decisions.keep: expected a number from 1 to 1000, found 0`},
		{"explain to", minimal + "admin: {decisions: {header: on}}", `3:29: admin.decisions.header: unknown value "on": expected one of off, trusted, loopback`},
		{"explain to nobody", minimal + "admin: {decisions: {header: off}}", ``},
		{"drain", minimal + "drain: {timeout: 0}", `3:18: drain.timeout: expected a duration above 0, found 0s`},
		{"level", minimal + "log: {level: wran}", `3:14: log.level: unknown level "wran": did you mean "warn"?`},
		{"proxies", minimal + "trusted_proxies: [10.0.0.1/8]", `3:19: trusted_proxies[0]: 10.0.0.1/8 has bits set beyond its length: expected 10.0.0.0/8`},
		{"proxy", minimal + "trusted_proxies: [ten]", `3:19: trusted_proxies[0]: expected an address range such as 10.0.0.0/8, or an address, found "ten"`},

		{"pool name", head + "pools: [{name: A, endpoints: [http://h]}]", `2:16: pools[0].name: expected a name of lower-case letters, digits and . _ - after the first, found "A"`},
		{"pool twice", head + "pools: [{name: a, endpoints: [http://h]}, {name: a, endpoints: [http://h]}]\nroutes: [{pool: a}]", `2:50: pools[1].name: "a" is the name of pools[0] already`},
		{"no endpoint", endpoint(""), `2:30: pools[0].endpoints: expected at least one endpoint`},
		{"no endpoints", head + "pools: [{name: a}]", `2:9: pools[0].endpoints: expected at least one endpoint`},
		{"scheme", endpoint("ftp://h"), `2:31: pools[0].endpoints[0].url: "ftp://h": expected http://, https:// or unix:// in front, as in http://127.0.0.1:9001`},
		{"no host", endpoint(`"http://:80"`), `2:31: pools[0].endpoints[0].url: "http://:80": expected a host name or an address, as in http://127.0.0.1:9001`},
		{"path", endpoint("http://h/x"), `2:31: pools[0].endpoints[0].url: "http://h/x": expected a URL such as http://127.0.0.1:9001, without a path: a request's own path is passed on`},
		{"slash", endpoint("http://h/"), ``},
		{"query", endpoint(`"http://h?a=b"`), `2:31: pools[0].endpoints[0].url: "http://h?a=b": expected a URL such as http://127.0.0.1:9001, without a query or a fragment`},
		{"fragment", endpoint(`"http://h#a"`), `2:31: pools[0].endpoints[0].url: "http://h#a": expected a URL such as http://127.0.0.1:9001, without a query or a fragment`},
		{"user", endpoint(`"http://u:p@h"`), `2:31: pools[0].endpoints[0].url: "http://u:p@h": expected a URL such as http://127.0.0.1:9001, without a user`},
		{"url port", endpoint(`"http://h:0"`), `2:31: pools[0].endpoints[0].url: "http://h:0": expected a port from 1 to 65535`},
		{"empty port", endpoint(`"http://h:"`), `2:31: pools[0].endpoints[0].url: "http://h:": expected a port from 1 to 65535`},
		{"unreadable url", endpoint(`"http://[::1"`), `2:31: pools[0].endpoints[0].url: "http://[::1": expected a URL such as http://127.0.0.1:9001`},
		{"endpoint twice", endpoint(`"http://h", "http://H:80/"`), `2:43: pools[0].endpoints[1].url: "http://H:80/": h:80 is the address of endpoints[0] already`},
		{"weight", endpoint("{url: http://h, weight: -1}"), `2:55: pools[0].endpoints[0].weight: expected a number from 0 to 1000, found -1`},

		{"strategy", pool("strategy: p2c-ewna"), `2:52: pools[0].strategy.name: unknown strategy "p2c-ewna": did you mean "p2c-ewma"?`},
		{"far strategy", pool("strategy: {name: fastest}"), `2:59: pools[0].strategy.name: unknown strategy "fastest": expected one of round-robin, weighted-round-robin, random, least-requests, p2c-least-requests, consistent-hash, ip-hash, ewma, p2c-ewma, orca-weighted-round-robin, c3, prequal`},
		{"decay", pool("strategy: {decay: 0s}"), `2:60: pools[0].strategy.decay: expected a duration from 1ms to 24h0m0s, found 0s`},
		{"decay of none", pool("strategy: {name: p2c-least-requests, decay: 10s}"), `2:86: pools[0].strategy.decay: p2c-least-requests does not estimate latency and has no decay`},
		{"choices", pool("strategy: {choices: 1}"), `2:62: pools[0].strategy.choices: expected a number from 2 to 16, found 1`},
		{"choices of none", pool("strategy: {name: random, choices: 2}"), `2:76: pools[0].strategy.choices: random does not draw endpoints and has no choices: only p2c-* have`},
		{"key", pool("strategy: {name: consistent-hash, key: user}"), `2:81: pools[0].strategy.key: expected client, path, header:NAME or cookie:NAME, found "user"`},
		{"key with a name too many", pool("strategy: {name: consistent-hash, key: 'client:x'}"), `2:81: pools[0].strategy.key: expected client, path, header:NAME or cookie:NAME, found "client:x"`},
		{"key without a name", pool("strategy: {name: consistent-hash, key: cookie}"), `2:81: pools[0].strategy.key: expected client, path, header:NAME or cookie:NAME, found "cookie"`},
		{"key with an empty name", pool("strategy: {name: consistent-hash, key: 'header:'}"), `2:81: pools[0].strategy.key: expected the name of a header after the colon, such as header:session, found "header:"`},
		{"key with a bad name", pool("strategy: {name: consistent-hash, key: 'cookie:a b'}"), `2:81: pools[0].strategy.key: expected the name of a cookie after the colon, such as cookie:session, found "cookie:a b"`},
		{"key by header", pool("strategy: {name: consistent-hash, key: 'header:X-User'}"), ``},
		{"key of none", pool("strategy: {name: ip-hash, key: path}"), `2:73: pools[0].strategy.key: ip-hash has no key to choose: only consistent-hash has`},
		{"load factor", pool("strategy: {name: consistent-hash, load_factor: 0.9}"), `2:89: pools[0].strategy.load_factor: expected a number from 1 to 1000, found 0.9`},
		{"load factor of none", pool("strategy: {name: ip-hash, load_factor: 2}"), `2:81: pools[0].strategy.load_factor: ip-hash does not bound loads and has no load_factor: only consistent-hash has`},
		{"panic", pool("panic_threshold: 1.5"), `2:59: pools[0].panic_threshold: expected a share from 0 to 1, found 1.5`},
		{"no panic", pool("panic_threshold: 0"), ``},
		{"consecutive", pool("breaker: {consecutive_failures: 0}"), `2:74: pools[0].breaker.consecutive_failures: expected a number from 1 to 1000000, found 0`},
		{"ratio", pool("breaker: {failure_ratio: 0}"), `2:67: pools[0].breaker.failure_ratio: expected a share above 0, at most 1, found 0`},
		{"slow call", pool("breaker: {slow_call: 1us}"), `2:63: pools[0].breaker.slow_call: expected a duration from 1ms to 24h0m0s, found 1µs`},
		{"no slow call", pool("breaker: {slow_call: 0}"), ``},
		{"slow ratio", pool("breaker: {slow_ratio: 0}"), `2:64: pools[0].breaker.slow_ratio: expected a share above 0, at most 1, found 0`},
		{"weights", pool("breaker: {weights: {timeout: 1.5}}"), `2:71: pools[0].breaker.weights.timeout: expected a number from 0 to 1, found 1.5`},
		{"weightless", pool("breaker: {weights: {throttled: 0}}"), ``},
		{"jitter", pool("breaker: {jitter: -1}"), `2:60: pools[0].breaker.jitter: expected a number from 0 to 1, found -1`},
		{"window", pool("breaker: {window: 10ms}"), `2:60: pools[0].breaker.window: expected a duration from 1s to 1h0m0s, found 10ms`},
		{"min requests", pool("breaker: {min_requests: 0}"), `2:66: pools[0].breaker.min_requests: expected a number from 1 to 1000000, found 0`},
		{"open for", pool("breaker: {open_for: 0}"), `2:62: pools[0].breaker.open_for: expected a duration from 1ms to 24h0m0s, found 0s`},
		{"max open for", pool("breaker: {max_open_for: 500ms}"), `2:66: pools[0].breaker.max_open_for: expected at least open_for (1s), found 500ms`},
		{"half-open", pool("breaker: {half_open_requests: 64}"), `2:72: pools[0].breaker.half_open_requests: expected a number from 1 to 63, found 64`},
		{"probe timeout", pool("breaker: {probe_timeout: 0}"), `2:67: pools[0].breaker.probe_timeout: expected a duration from 1ms to 24h0m0s, found 0s`},
		{"connect", pool("timeouts: {connect: -1s}"), `2:62: pools[0].timeouts.connect: expected a duration, or 0 for none, found -1s`},
		{"header after total", pool("timeouts: {response_header: 31s}"), `2:70: pools[0].timeouts.response_header: expected at most total (30s), found 31s`},
		{"header without total", pool("timeouts: {response_header: 31s, total: 0}"), ``},
		{"attempts", pool("retries: {attempts: 5}"), `2:62: pools[0].retries.attempts: expected a number from 1 to 4, found 5`},
		{"budget", pool("retries: {budget_ratio: 2}"), `2:66: pools[0].retries.budget_ratio: expected a share above 0, at most 1, found 2`},
		{"hung", pool("retries: {hung_after: -1s}"), `2:64: pools[0].retries.hung_after: expected a duration, or 0 for none, found -1s`},
		{"floor", pool("retries: {budget_min_per_second: -1}"), `2:75: pools[0].retries.budget_min_per_second: expected a number from 0 to 1e+06, found -1`},
		{"hedge percentile", pool("hedge: {after_percentile: 95}"), `2:68: pools[0].hedge.after_percentile: expected a number from 0.5 to 0.999, found 95`},
		{"hedge delay", pool("hedge: {min_delay: 0}"), `2:61: pools[0].hedge.min_delay: expected a duration from 1ms to 1h0m0s, found 0s`},
		{"hedge ratio", pool("hedge: {max_ratio: 0}"), `2:61: pools[0].hedge.max_ratio: expected a share above 0, at most 1, found 0`},
		{"health path", pool("health: {path: x}"), `2:57: pools[0].health.path: expected a path that starts with /, found "x"`},
		{"health interval", pool("health: {interval: 0}"), `2:61: pools[0].health.interval: expected a duration above 0, found 0s`},
		{"health timeout", pool("health: {timeout: 0}"), `2:60: pools[0].health.timeout: expected a duration above 0, found 0s`},
		{"health short", pool("health: tcp"), ``},
		{"health kind", pool("health: {kind: icmp}"), `2:57: pools[0].health.kind: unknown kind "icmp": did you mean "tcp"?`},
		{"health host", pool("health: {host: 'a b'}"), `2:57: pools[0].health.host: expected a host name, such as example.com, perhaps with a port, found "a b"`},
		{"health host with port", pool("health: {host: 'a:x'}"), `2:57: pools[0].health.host: expected a host name, such as example.com, perhaps with a port, found "a:x"`},
		{"health hosts", pool("health: {host: '[::1]:80'}"), ``},
		{"health status", pool("health: {status: 204}"), ``},
		{"health statuses", pool("health: {status: 100-399}"), `2:59: pools[0].health.status: expected a range within 200-599, found 100-399`},
		{"health statuses upside down", pool("health: {status: 399-200}"), `2:59: pools[0].health.status: expected a range within 200-599, found 399-200`},
		{"health no status", pool("health: {status: fine}"), `2:59: pools[0].health.status: "fine": expected a status or a range of them, such as 200-399`},
		{"health path of none", pool("health: {kind: tcp, path: /}"), `2:68: pools[0].health.path: tcp has no path: only http has`},
		{"health service of none", pool("health: {service: a}"), `2:60: pools[0].health.service: http has no service: only grpc has`},
		{"health service", pool("protocol: h2, health: {kind: grpc, service: 'a b'}"), `2:86: pools[0].health.service: expected the name of a gRPC service, such as shop.v1.Orders, found "a b"`},
		{"health port", pool("health: {port: 70000}"), `2:57: pools[0].health.port: expected a number from 0 to 65535, found 70000`},
		{"rise", pool("health: {rise: 0}"), `2:57: pools[0].health.rise: expected a number from 1 to 100, found 0`},
		{"fall", pool("health: {fall: 0}"), `2:57: pools[0].health.fall: expected a number from 1 to 100, found 0`},
		{"limiter", pool("concurrency: gradient3"), `2:55: pools[0].concurrency.name: unknown limiter "gradient3": did you mean "gradient2"?`},
		{"limit", pool("concurrency: {limit: 0}"), `2:63: pools[0].concurrency.limit: expected a number from 1 to 1000000, found 0`},
		{"queue", pool("concurrency: {queue: -1}"), `2:63: pools[0].concurrency.queue: expected a number from 0 to 1000000, found -1`},
		{"max wait", pool("concurrency: {max_wait: 0}"), `2:66: pools[0].concurrency.max_wait: expected a duration above 0, found 0s`},

		{"route's pool", route("{pool: b}"), `3:17: routes[0].pool: unknown pool "b": expected a`},
		{"no route's pool", route("{path_prefix: /}"), `3:10: routes[0].pool: required, but not given`},
		{"prefix", route("{pool: a, path_prefix: x}"), `3:33: routes[0].path_prefix: expected a path that starts with /, found "x"`},
		{"odd prefix", route(`{pool: a, path_prefix: "/a?b"}`), `3:33: routes[0].path_prefix: expected a path of plain characters, others percent-encoded, found "/a?b"`},
		{"route name", route("{pool: a, name: A b}"), `3:26: routes[0].name: expected a name of lower-case letters, digits and . _ - after the first, found "A b"`},
		{"route name twice", route("{pool: a, name: x}, {pool: a, name: x, path_prefix: /x}"), `3:46: routes[1].name: "x" is the name of routes[0] already`},
		{"route twice", route("{pool: a, hosts: [x, y]}, {pool: a, hosts: [z, Y]}"), `3:36: routes[1]: routes[0] serves the same path, host, method and headers already`},
		{"routes apart", route("{pool: a, methods: [GET]}, {pool: a}, {pool: a, hosts: [x]}"), ``},
		{"host with port", route(`{pool: a, hosts: ["x:80"]}`), `3:28: routes[0].hosts[0]: expected a host name without a port, such as example.com or *.example.com, found "x:80"`},
		{"wildcard", route(`{pool: a, hosts: ["*.example.com"]}`), ``},
		{"wildcard inside", route(`{pool: a, hosts: ["a.*.com"]}`), `3:28: routes[0].hosts[0]: expected a host name without a port, such as example.com or *.example.com, found "a.*.com"`},
		{"wildcard alone", route(`{pool: a, hosts: ["*."]}`), `3:28: routes[0].hosts[0]: expected a host name without a port, such as example.com or *.example.com, found "*."`},
		{"host twice", route(`{pool: a, hosts: [x, X]}`), `3:31: routes[0].hosts[1]: "x" stands in hosts[0] already`},
		{"method", route(`{pool: a, methods: [get]}`), `3:30: routes[0].methods[0]: expected a method in upper case, GET, found "get"`},
		{"no method", route(`{pool: a, methods: [""]}`), `3:30: routes[0].methods[0]: expected a method in upper case, such as GET, found ""`},
		{"no rate", route(`{pool: a, rate_limit: {burst: 1}}`), `3:32: routes[0].rate_limit.rate: required, but not given`},
		{"rate", route(`{pool: a, rate_limit: {rate: 0}}`), `3:39: routes[0].rate_limit.rate: expected requests a second, above 0 and at most 1e+09, found 0`},
		{"burst", route(`{pool: a, rate_limit: {rate: 5, burst: 0}}`), `3:49: routes[0].rate_limit.burst: expected a number from 1 to 1000000000, found 0`},
		{"endless burst", route(`{pool: a, rate_limit: {rate: 0.001, burst: 10000000}}`), `3:53: routes[0].rate_limit.burst: expected less than a century's worth at 0.001 a second, found 10000000`},
		{"IPv4 prefix", route(`{pool: a, rate_limit: {rate: 5, key: client, ipv4_prefix: 33}}`), `3:68: routes[0].rate_limit.ipv4_prefix: expected a number from 1 to 32, found 33`},
		{"IPv6 prefix", route(`{pool: a, rate_limit: {rate: 5, key: client, ipv6_prefix: 0}}`), `3:68: routes[0].rate_limit.ipv6_prefix: expected a number from 1 to 128, found 0`},
		{"prefix of all", route(`{pool: a, rate_limit: {rate: 5, ipv6_prefix: 56}}`), `3:55: routes[0].rate_limit.ipv6_prefix: all share a bucket, whatever their addresses: only with key: client`},
		{"key", route(`{pool: a, rate_limit: {rate: 5, key: clinet}}`), `3:47: routes[0].rate_limit.key: unknown key "clinet": did you mean "client"?`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("f", []byte(test.text))
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "f:")
			}
			if got != test.want {
				t.Errorf("%s\ngot  %s\nwant %s", test.text, got, test.want)
			}
		})
	}
}

// Policies are checked wherever they are embedded.
func TestPoliciesElsewhere(t *testing.T) {
	p := DefaultPolicies()
	var got []string
	report := strict.Report(func(path, format string, args ...any) { got = append(got, path) })
	p.Validate(report.At("proxy"))
	if len(got) != 0 {
		t.Errorf("the defaults are refused: %v", got)
	}
	p.Retries.Attempts = 0
	p.Strategy.Name = "x"
	p.Validate(report.At("proxy"))
	if want := "proxy.strategy.name proxy.retries.attempts"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Every strategy is valid with the settings NewStrategy gives it.
func TestNewStrategy(t *testing.T) {
	for _, name := range Strategies {
		s := NewStrategy(name)
		s.Validate(func(path, format string, args ...any) {
			t.Errorf("%s: %s: "+format, append([]any{name, path}, args...)...)
		})
	}
}
