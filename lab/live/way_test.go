package live

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Request n asks for target n, whenever it is sent; and goes where it was going.
func TestTargetsInTurn(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get(backend.SeqHeader)] = r.Method + " " + r.Host + r.RequestURI + " " + r.Header.Get("X-Kind") + " " + string(body)
	}))
	t.Cleanup(s.Close)
	target := func(method, address, kind, body string) scenario.Target {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return scenario.Target{Method: method, URL: u, Header: http.Header{"X-Kind": {kind}}, Body: []byte(body)}
	}
	named := target("GET", "http://elsewhere:81/a%2Fb?c=d", "first", "")
	named.Header.Set("Host", "shop.example")
	w := &way{seen: &meter{}, targets: []scenario.Target{named, target("POST", "http://elsewhere/", "second", "hello")}}
	if _, err := attack(t.Context(), s.URL, "test", make([]core.Instant, 3), time.Minute, w, func(time.Time) {}); err != nil {
		t.Fatal(err)
	}
	host := s.URL[len("http://"):]
	want := map[string]string{
		"0": "GET shop.example/a%2Fb?c=d first ", "1": "POST " + host + "/ second hello", "2": "GET shop.example/a%2Fb?c=d first ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without a proxy the servers are asked in turn, by the requests' numbers.
func TestHostsInTurn(t *testing.T) {
	var hosts []string
	seen := make([]func() map[string]int, 2)
	for i := range seen {
		var address string
		address, seen[i] = stub(t, func(http.ResponseWriter, *http.Request) {})
		hosts = append(hosts, address[len("http://"):])
	}
	w := &way{seen: &meter{}, hosts: hosts}
	if _, err := attack(t.Context(), "http://nobody.invalid", "test", make([]core.Instant, 5), time.Minute, w, func(time.Time) {}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]int{{"0": 1, "2": 1, "4": 1}, {"1": 1, "3": 1}} {
		if diff := cmp.Diff(want, seen[i]()); diff != "" {
			t.Errorf("server %d (-want +got):\n%s", i, diff)
		}
	}
}
