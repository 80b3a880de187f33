package config

import (
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

var update = flag.Bool("update", false, "write the golden files anew")

var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

const minimal = "version: 1\npools: [{name: web, endpoints: [http://127.0.0.1:9001]}]\n"

func defaultListener(address string) (l Listener) {
	l.Defaults()
	l.Address = address
	return l
}

func ptr[T any](v T) *T { return &v }

func TestFull(t *testing.T) {
	got, err := Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defaultsHealth, defaultConcurrency := new(Health), new(Concurrency)
	defaultsHealth.Defaults()
	defaultConcurrency.Defaults()
	defaultHedge := new(Hedge)
	defaultHedge.Defaults()
	api := DefaultPolicies()
	api.Strategy = Strategy{Name: "consistent-hash", Key: "cookie:sid", LoadFactor: 1.5}
	api.Health, api.Concurrency, api.Hedge = defaultsHealth, defaultConcurrency, defaultHedge
	defaultConcurrency.Queue = 1000 // codel needs one
	api.Shed = &Shed{Name: "codel", Target: 5 * time.Millisecond, Interval: 100 * time.Millisecond}
	first, socket := defaultListener("0.0.0.0:8443"), defaultListener("unix:/run/evenkeel.sock")
	first.ReadHeaderTimeout, first.IdleTimeout, first.MaxHeaderBytes = 5*time.Second, 2*time.Minute, 32768
	first.ProxyProtocol = &ProxyProtocol{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}}
	first.MaxConnections, first.MaxConnectionsPerClient, first.HTTP2 = 2000, 20, HTTP2{100, 32768, 131072, 65536, 50, 500}
	socket.SocketMode = "0660"
	want := &File{
		Version: 1,
		Listeners: []Listener{
			first,
			defaultListener("[::1]:8080"),
			socket,
		},
		Admin: Admin{Address: "127.0.0.1:9902", Pprof: true, Decisions: Decisions{20, 128, HeaderLoopback}},
		Drain: Drain{Timeout: time.Minute},
		Log:   Log{"debug", true},
		Pools: []Pool{{
			Name:      "web",
			Endpoints: []Endpoint{{"http://127.0.0.1:9001", 3}, {"https://Backend.example", 0}},
			Upstream:  Upstream{"h2", &UpstreamTLS{ServerName: "backend.example", MinVersion: "1.3"}},
			Policies: Policies{
				Strategy:       Strategy{Name: "p2c-ewma", Decay: 5 * time.Second, Guards: defaultGuards(), Choices: 3},
				PanicThreshold: 0.25,
				Breaker:        Breaker{false, 3, 0.8, 2 * time.Second, 0.9, 20 * time.Second, 50, Weights{0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.4}, 3 * time.Second, 30 * time.Second, 0.25, 2, 3 * time.Second},
				Timeouts:       Timeouts{Connect: time.Second, Total: 90 * time.Second, Idle: time.Minute},
				Retries:        Retries{3, 2 * time.Second, 0.1, 2.5},
				Hedge:          &Hedge{0.99, 20 * time.Millisecond, 0.02},
				Health:         &Health{"http", "/ready?deep=1", "h.example", Statuses{200, 204}, "", 9000, 10 * time.Second, 3 * time.Second, 1, 5},
				Concurrency:    &Concurrency{Name: "fixed", Limit: 64, Queue: 16, MaxWait: 250 * time.Millisecond},
				EndpointConcurrency: &Concurrency{
					Name: "gradient2", Initial: 5, Min: 2, Max: 50, Window: 200 * time.Millisecond, Samples: 20,
					Tolerance: 2, Headroom: 3, DryRun: true,
				},
				Shed: &Shed{Name: "accept-ratio", K: 1.5, Window: time.Minute, MaxRatio: 0.8, PriorityHeader: "X-Priority"},
			},
		}, {
			Name:      "api",
			Endpoints: []Endpoint{{"http://127.0.0.1:9003", 1}},
			Upstream:  Upstream{Protocol: "auto"},
			Policies:  api,
		}},
		Routes: []Route{
			{
				Name: "front", PathPrefix: "/app", Hosts: []string{"example.com", "www.example.com"}, Methods: []string{"GET", "POST"},
				Headers:  []HeaderMatch{{Name: "X-Debug"}, {Name: "X-Version", Value: "2"}, {Name: "X-Inside", Absent: true}},
				Timeouts: &RouteTimeouts{ResponseHeader: ptr(3 * time.Second), Total: ptr(time.Duration(0))},
				Retries:  &RouteRetries{Attempts: 1}, MaxBodyBytes: 1 << 20, MaxInFlight: 50,
				Pool: "web", RateLimit: &RateLimit{1000.5, 100, "client", 32, 56, 50 * time.Millisecond, false}, Cost: 2,
			},
			{Name: "api", PathPrefix: "/", Pool: "api", Cost: 1},
			{Name: "api-2", PathPrefix: "/v2", Pool: "api", RateLimit: &RateLimit{Rate: 0.5, Burst: 1, Headers: true}, Cost: 1},
		},
		RateLimit:      &RateLimit{Rate: 5000, Burst: 5000, Headers: true},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("::1/128")},
	}
	if diff := cmp.Diff(want, got, comparePrefix); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Three kinds of mistake, each at its place, all at once.
func TestWrong(t *testing.T) {
	_, err := Load("testdata/wrong.yaml")
	want := strings.TrimSpace(`
testdata/wrong.yaml:3:14: listeners[0].address: expected host:port, such as 127.0.0.1:8080, found "127.0.0.1"
testdata/wrong.yaml:6:15: pools[0].strategy.name: unknown strategy "p2c-ewna": did you mean "p2c-ewma"?
testdata/wrong.yaml:9:9: pools[0].endpoints[0]: unknown field "wieght": did you mean "weight"?
testdata/wrong.yaml:11:17: pools[0].endpoints[1].weight: expected a number from 0 to 1000, found 2000
testdata/wrong.yaml:12:25: pools[0].breaker.open_for: expected a duration, found the bare number 5: add a unit, such as 5s
`)
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var errs strict.Errors
	if !errors.As(err, &errs) || len(errs) != 5 {
		t.Errorf("got %T, want the five problems as strict.Errors", err)
	}
}

func TestDefaults(t *testing.T) {
	got, err := Parse("f", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Pools = []Pool{{Name: "web", Endpoints: []Endpoint{{"http://127.0.0.1:9001", 1}}, Upstream: Upstream{Protocol: "auto"}, Policies: DefaultPolicies()}}
	want.Routes = []Route{{Name: "web", PathPrefix: "/", Pool: "web", Cost: 1}}
	if diff := cmp.Diff(&want, got, comparePrefix); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	guards := Guards{
		Samples: 10, Near: 0.1, Outlier: 3, Penalty: time.Second, Aside: true, Age: true, Grace: 4, Drift: true, Seed: true,
		ScanUpTo: 1000, MostChoices: 16, Trust: true,
	}
	if s := (Strategy{Name: "p2c-ewma", Decay: 3 * time.Second, Guards: guards, Choices: 2}); got.Pools[0].Strategy != s {
		t.Errorf("strategy: got %+v, want %+v", got.Pools[0].Strategy, s)
	}
	if got.Pools[0].Health != nil || got.Pools[0].Hedge != nil || got.Pools[0].Concurrency != nil || got.Routes[0].RateLimit != nil {
		t.Error("what is optional and absent must be nil")
	}
}

// Defaults that depend on other settings.
func TestDerivedDefaults(t *testing.T) {
	pool := func(t *testing.T, policies string) Pool {
		t.Helper()
		f, err := Parse("f", []byte("version: 1\npools: [{name: a, endpoints: [http://h], "+policies+"}]"))
		if err != nil {
			t.Fatal(err)
		}
		return f.Pools[0]
	}
	if got, want := pool(t, "timeouts: {total: 1s}").Timeouts, (Timeouts{time.Second, time.Second, time.Second, time.Minute}); got != want {
		t.Errorf("a short total: got %v, want %v", got, want)
	}
	if got := pool(t, "breaker: {open_for: 2m}").Breaker.MaxOpenFor; got != 2*time.Minute {
		t.Errorf("a long open_for: got at most %v, want 2m", got)
	}
	if got, want := pool(t, "strategy: random").Strategy, (Strategy{Name: "random"}); got != want {
		t.Errorf("random: got %+v, want %+v", got, want)
	}
	if got, want := pool(t, "strategy: p2c-least-requests").Strategy, (Strategy{Name: "p2c-least-requests", Choices: 2}); got != want {
		t.Errorf("p2c-least-requests: got %+v, want %+v", got, want)
	}
	if got, want := pool(t, "strategy: consistent-hash").Strategy, (Strategy{Name: "consistent-hash", Key: "client", LoadFactor: 1.25}); got != want {
		t.Errorf("consistent-hash: got %+v, want %+v", got, want)
	}
	if got, want := pool(t, "strategy: {name: consistent-hash, key: path}").Strategy, (Strategy{Name: "consistent-hash", Key: "path", LoadFactor: 1.25}); got != want {
		t.Errorf("consistent-hash by path: got %+v, want %+v", got, want)
	}
	for text, want := range map[string][2]int{"": {}, ", key: client": {32, 64}, ", key: client, ipv4_prefix: 24": {24, 64}} {
		f, err := Parse("f", []byte(minimal+"rate_limit: {rate: 1"+text+"}"))
		if err != nil {
			t.Fatal(err)
		}
		if l := f.RateLimit; [2]int{l.IPv4Prefix, l.IPv6Prefix} != want {
			t.Errorf("rate limit%s: got prefixes of %d and %d, want %v", text, l.IPv4Prefix, l.IPv6Prefix, want)
		}
	}
	for rate, burst := range map[string]int{"0.2": 1, "1": 1, "2.1": 3, "1000": 1000} {
		f, err := Parse("f", []byte(minimal+"routes: [{pool: web, rate_limit: {rate: "+rate+"}}]"))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Routes[0].RateLimit.Burst; got != burst {
			t.Errorf("rate %s: got a burst of %d, want %d", rate, got, burst)
		}
	}
}

func TestRouteNames(t *testing.T) {
	f, err := Parse("f", []byte(minimal+`
routes:
  - {pool: web, path_prefix: /a}
  - {pool: web, path_prefix: /b, name: web-2}
  - {pool: web, path_prefix: /c}
  - {pool: web, path_prefix: /d, name: web}
`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range f.Routes {
		names = append(names, r.Name)
	}
	if want := []string{"web-3", "web-2", "web-4", "web"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestRoundTrip(t *testing.T) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"full": string(full), "minimal": minimal,
		"short total": "version: 1\npools: [{name: a, endpoints: [http://h], strategy: random, timeouts: {total: 1s}}]",
	} {
		want, err := Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, want)
	}
}

func checkRoundTrip(t *testing.T, want *File) {
	t.Helper()
	text, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("printed", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(want, got, comparePrefix); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestGolden(t *testing.T) {
	full, err := Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	small, err := Parse("f", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	for name, print := range map[string]func() ([]byte, error){
		"full.golden.yaml": full.YAML, "minimal.golden.yaml": small.YAML, "schema.golden.json": Schema,
	} {
		got, err := print()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got); if that is meant, run with -update\n%s", path, diff)
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if v["additionalProperties"] != false {
		t.Error("unknown fields must be refused by the schema too")
	}
}

// The enum tags repeat lists that code uses.
func TestEnumTags(t *testing.T) {
	for _, test := range []struct {
		of    any
		field string
		want  []string
	}{
		{Strategy{}, "Name", Strategies},
		{Concurrency{}, "Name", Limiters},
		{Log{}, "Level", levels},
		{TLS{}, "ClientAuth", clientAuths},
	} {
		f, _ := reflect.TypeOf(test.of).FieldByName(test.field)
		if got := strings.Split(f.Tag.Get("enum"), ","); !slices.Equal(got, test.want) {
			t.Errorf("%T.%s: the tag says %v, the code %v", test.of, test.field, got, test.want)
		}
	}
	if !slices.Contains(Strategies, DefaultStrategy) {
		t.Errorf("the default strategy %q is none of %v", DefaultStrategy, Strategies)
	}
}

func TestLoad(t *testing.T) {
	_, err := Load("testdata/nowhere.yaml")
	if err == nil || err.Error() != "testdata/nowhere.yaml: no such file or directory" {
		t.Errorf("a missing file: got %v", err)
	}
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte("version: 2\n"+minimal[len("version: 1\n"):]), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer func(old *os.File) { os.Stdin = old }(os.Stdin)
	os.Stdin = in
	if _, err = Load("-"); err == nil || !strings.HasPrefix(err.Error(), "stdin:1:10: version: expected 1") {
		t.Errorf("standard input: got %v", err)
	}
}

// What a driver has to know: whether requests need a key, and where it comes from.
func TestKeyOf(t *testing.T) {
	for _, c := range []struct {
		s          Strategy
		hashes     bool
		from, name string
	}{
		{NewStrategy("ip-hash"), true, KeyClient, ""},
		{NewStrategy("consistent-hash"), true, KeyClient, ""},
		{Strategy{Name: "consistent-hash", Key: "path"}, true, KeyPath, ""},
		{Strategy{Name: "consistent-hash", Key: "header:X-User"}, true, KeyHeader, "X-User"},
		{Strategy{Name: "consistent-hash", Key: "cookie:sid"}, true, KeyCookie, "sid"},
		{NewStrategy("p2c-ewma"), false, "", ""},
	} {
		if from, name := c.s.KeyOf(); from != c.from || name != c.name || c.s.Hashes() != c.hashes {
			t.Errorf("%+v: got %v, %q and %q, want %v, %q and %q", c.s, c.s.Hashes(), from, name, c.hashes, c.from, c.name)
		}
	}
}

func TestKey(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:9001":  "127.0.0.1:9001",
		"http://Example.com":     "example.com:80",
		"https://example.com/":   "example.com:443",
		"http://[::1]:8080":      "[::1]:8080",
		"http://[2001:DB8::1]":   "[2001:db8::1]:80",
		"nothing of the kind://": "nothing of the kind://",
	} {
		if got := (Endpoint{URL: url}).Key(); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}

func TestFromEndpoints(t *testing.T) {
	f, err := FromEndpoints(":8088", []string{"http://127.0.0.1:9001", " http://127.0.0.1:9002"}, "random", "off")
	if err != nil {
		t.Fatal(err)
	}
	if f.Listeners[0].Address != ":8088" || f.Admin.Enabled || f.Pools[0].Strategy != (Strategy{Name: "random"}) ||
		len(f.Pools[0].Endpoints) != 2 || f.Routes[0].Pool != f.Pools[0].Name {
		t.Errorf("got %+v", f)
	}
	checkRoundTrip(t, f)
	if f, err = FromEndpoints("", []string{"http://h"}, "", ""); err != nil {
		t.Fatal(err)
	} else if f.Listeners[0].Address != "127.0.0.1:8080" || f.Admin.Address != "127.0.0.1:9901" || f.Pools[0].Strategy.Name != DefaultStrategy {
		t.Errorf("the defaults: got %+v", f)
	}
	checkRoundTrip(t, f)

	_, err = FromEndpoints("x", []string{"foo"}, "p2c-emwa", "y")
	want := `--listen: expected host:port, such as 127.0.0.1:8080, found "x"
--admin: expected host:port, such as 127.0.0.1:8080, found "y"
--endpoints: "foo": expected http://, https:// or unix:// in front, as in http://127.0.0.1:9001
--strategy: unknown strategy "p2c-emwa": did you mean "p2c-ewma"?`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err = FromEndpoints("", nil, "", ""); err == nil || err.Error() != "--endpoints: expected at least one endpoint" {
		t.Errorf("no endpoints: got %v", err)
	}
}

// Whatever is accepted can be printed and read again; nothing panics.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/full.yaml", "testdata/wrong.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err == nil {
			checkRoundTrip(t, file)
		} else if err.Error() == "" {
			t.Error("an error without a message")
		}
	})
}
