package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/proxy"
)

// sendsTo is a rig with these routes, all to one backend; the answer's count in the
// metrics tells which of them took a request.
func sendsTo(t *testing.T, routes map[string]proxy.Match, order []string) *rig {
	t.Helper()
	return newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), routes: func(base []proxy.Route) []proxy.Route {
		var all []proxy.Route
		for _, name := range order {
			r := base[0]
			r.Name, r.Match = name, routes[name]
			all = append(all, r)
		}
		return all
	}})
}

func TestRoutesMatch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		match  proxy.Match
		method string
		host   string
		path   string
		want   int
	}{
		{"the prefix itself", proxy.Match{PathPrefix: "/a"}, "GET", "", "/a", 200},
		{"what lies below", proxy.Match{PathPrefix: "/a"}, "GET", "", "/a/b", 200},
		{"not what only begins alike", proxy.Match{PathPrefix: "/a"}, "GET", "", "/ab", 404},
		{"not what lies above", proxy.Match{PathPrefix: "/a/b"}, "GET", "", "/a", 404},
		{"a prefix that ends with a slash", proxy.Match{PathPrefix: "/a/"}, "GET", "", "/a/b", 200},
		{"is not met without it", proxy.Match{PathPrefix: "/a/"}, "GET", "", "/a", 404},
		{"the root takes everything", proxy.Match{PathPrefix: "/"}, "GET", "", "/ab", 200},
		{"the case of a path counts", proxy.Match{PathPrefix: "/a"}, "GET", "", "/A", 404},
		{"a path is compared decoded", proxy.Match{PathPrefix: "/a"}, "GET", "", "/%61/b", 200},
		{"an encoded slash below it is as good as any", proxy.Match{PathPrefix: "/a"}, "GET", "", "/a/b%2Fc", 200},
		{"one at its edge is not: is it under it, or beside it?", proxy.Match{PathPrefix: "/a"}, "GET", "", "/a%2Fb", 400},
		{"the path itself", proxy.Match{Path: "/a"}, "GET", "", "/a", 200},
		{"and nothing below it", proxy.Match{Path: "/a"}, "GET", "", "/a/b", 404},
		{"nor with a slash behind it", proxy.Match{Path: "/a"}, "GET", "", "/a/", 404},
		{"a wildcard takes one label", proxy.Match{PathPrefix: "/", Hosts: []string{"*.example"}}, "GET", "a.example", "/", 200},
		{"and more", proxy.Match{PathPrefix: "/", Hosts: []string{"*.example"}}, "GET", "B.a.example.:80", "/", 200},
		{"not none", proxy.Match{PathPrefix: "/", Hosts: []string{"*.example"}}, "GET", "example", "/", 404},
		{"nor an empty one", proxy.Match{PathPrefix: "/", Hosts: []string{"*.example"}}, "GET", ".example", "/", 404},
		{"nor the end of one", proxy.Match{PathPrefix: "/", Hosts: []string{"*.example"}}, "GET", "badexample", "/", 404},
		{"an absolute name", proxy.Match{PathPrefix: "/", Hosts: []string{"a.example"}}, "GET", "a.example.", "/", 200},
		{"an address in another form", proxy.Match{PathPrefix: "/", Hosts: []string{"0:0::1"}}, "GET", "[::0:1]", "/", 200},
		{"a query is not part of it", proxy.Match{PathPrefix: "/a"}, "GET", "", "/a?/b", 200},
		{"a host", proxy.Match{PathPrefix: "/", Hosts: []string{"shop.example"}}, "GET", "shop.example", "/", 200},
		{"with any port", proxy.Match{PathPrefix: "/", Hosts: []string{"shop.example"}}, "GET", "shop.example:8080", "/", 200},
		{"in any case", proxy.Match{PathPrefix: "/", Hosts: []string{"shop.example"}}, "GET", "SHOP.Example", "/", 200},
		{"one of several", proxy.Match{PathPrefix: "/", Hosts: []string{"a.example", "shop.example"}}, "GET", "shop.example", "/", 200},
		{"not another", proxy.Match{PathPrefix: "/", Hosts: []string{"shop.example"}}, "GET", "other.example", "/", 404},
		{"nor one below it", proxy.Match{PathPrefix: "/", Hosts: []string{"shop.example"}}, "GET", "www.shop.example", "/", 404},
		{"an IPv6 address", proxy.Match{PathPrefix: "/", Hosts: []string{"::1"}}, "GET", "[::1]:8080", "/", 200},
		{"without a port", proxy.Match{PathPrefix: "/", Hosts: []string{"::1"}}, "GET", "[::1]", "/", 200},
		{"a method", proxy.Match{PathPrefix: "/", Methods: []string{"POST", "PUT"}}, "PUT", "", "/", 200},
		{"not another method", proxy.Match{PathPrefix: "/", Methods: []string{"POST", "PUT"}}, "GET", "", "/", 404},
		{"a header that is there", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "User-Agent"}}}, "GET", "", "/", 200},
		{"one that is not", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "X-Debug"}}}, "GET", "", "/", 404},
		{"one with that value", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "X-Version", Value: "2"}}}, "GET", "", "/", 200},
		{"in a second line", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "X-Version", Value: "3"}}}, "GET", "", "/", 200},
		{"with another", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "X-Version", Value: "23"}}}, "GET", "", "/", 404},
		{"one that must not be there", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "X-Debug", Absent: true}}}, "GET", "", "/", 200},
		{"and is", proxy.Match{PathPrefix: "/", Headers: []proxy.Condition{{Name: "X-Version", Absent: true}}}, "GET", "", "/", 404},
		{"everything at once", proxy.Match{PathPrefix: "/a", Hosts: []string{"shop.example"}, Methods: []string{"GET"}}, "GET", "shop.example", "/a", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := sendsTo(t, map[string]proxy.Match{"web": tt.match}, []string{"web"})
			r := g.request(t, tt.method, tt.path, nil)
			r.Host = tt.host
			r.Header["X-Version"] = []string{"2", "3"}
			got := g.do(t, r)
			if tt.want == 404 {
				wantRejected(t, got, 404, "no-route", "")
				wantCount(t, "rejections", g.count(t, "evenkeel_rejections_total", `route="none"`, `reason="no-route"`), 1)
				wantCount(t, "4xx of no route", g.count(t, "evenkeel_requests_total", `route="none"`, `code="4xx"`), 1)
				return
			}
			wantStatus(t, got, tt.want)
		})
	}
}

// The most specific route takes a request, wherever it stands.
func TestRoutesPrecedence(t *testing.T) {
	routes := map[string]proxy.Match{
		"root":      {PathPrefix: "/"},
		"a":         {PathPrefix: "/a"},
		"a-post":    {PathPrefix: "/a", Methods: []string{"POST"}},
		"ab":        {PathPrefix: "/a/b"},
		"shop":      {PathPrefix: "/", Hosts: []string{"shop.example"}},
		"shop-post": {PathPrefix: "/", Hosts: []string{"shop.example"}, Methods: []string{"POST"}},
		"shop-a":    {PathPrefix: "/a", Hosts: []string{"shop.example"}},
		"below":     {PathPrefix: "/", Hosts: []string{"*.example"}},
		"far-below": {PathPrefix: "/", Hosts: []string{"*.a.example"}},
		"exact":     {Path: "/a/c"},
	}
	orders := [][]string{
		{"root", "a", "a-post", "ab", "shop", "shop-post", "shop-a", "below", "far-below", "exact"},
		{"exact", "far-below", "below", "shop-a", "shop-post", "shop", "ab", "a-post", "a", "root"},
	}
	for _, order := range orders {
		t.Run("first "+order[0], func(t *testing.T) {
			g := sendsTo(t, routes, order)
			for _, tt := range []struct{ method, host, path, want string }{
				{"GET", "x", "/", "root"},
				{"GET", "x", "/ab", "root"},
				{"GET", "x", "/a", "a"},
				{"POST", "x", "/a", "a-post"},
				{"POST", "x", "/a/b", "ab"},    // the longer prefix before the method
				{"POST", "x", "/a/c", "exact"}, // the path itself before all prefixes
				{"GET", "x.example", "/a/c", "below"},
				{"GET", "x.a.example", "/a/c", "far-below"},
				{"GET", "shop.example", "/", "shop"},
				{"POST", "shop.example", "/", "shop-post"},
				{"GET", "shop.example", "/a", "shop-a"},
				{"GET", "shop.example", "/a/b", "shop-a"}, // the host before the longer prefix
				{"POST", "shop.example", "/a", "shop-a"},
			} {
				before := g.count(t, "evenkeel_requests_total", `route="`+tt.want+`"`)
				r := g.request(t, tt.method, tt.path, nil)
				r.Host = tt.host
				g.do(t, r)
				if got := g.count(t, "evenkeel_requests_total", `route="`+tt.want+`"`) - before; got != 1 {
					t.Errorf("%s %s%s: got %v requests at route %s, want 1", tt.method, tt.host, tt.path, got, tt.want)
				}
			}
		})
	}
}

// heard is a picker of the first that notes the classes asked for.
type heard struct{ classes chan uint8 }

func (h heard) Pick(_ *core.View, a *core.Ask, _ core.Instant, _ rand.Source) (core.Choice, bool) {
	h.classes <- a.Class
	return core.Choice{}, true
}

// Routes that share a pool have a class each, in the order in which they stand, and there
// is no class beyond 255.
func TestRouteClasses(t *testing.T) {
	h := heard{make(chan uint8, 1)}
	const many = 258
	g := newRig(t, plan{endpoints: urls(newBackend(t, say(200, ""))), routes: func(base []proxy.Route) []proxy.Route {
		shared, other := *base[0].Pool, *base[0].Pool
		for _, pool := range []*proxy.Pool{&shared, &other} {
			r := core.NewRouter(core.Config{
				Driver: core.Driver{Source: proxy.Source{}}, Picker: h,
				Equip:  func(*core.Member) core.Parts { return core.Parts{} },
				Policy: core.Policy{Attempts: 1},
			})
			m := base[0].Pool.Router.View().Members[0]
			if err := r.Update(0, []core.Endpoint{{Key: m.Key, Weight: 1, Target: m.Target}}); err != nil {
				t.Fatal(err)
			}
			pool.Router = r
		}
		var all []proxy.Route
		for i := range many {
			all = append(all, proxy.Route{Name: "web", Match: proxy.Match{PathPrefix: fmt.Sprint("/", i)}, Pool: &shared})
		}
		return append(all, proxy.Route{Name: "web", Match: proxy.Match{PathPrefix: "/other"}, Pool: &other})
	}})
	for path, want := range map[string]uint8{"/0": 0, "/1": 1, "/255": 255, "/256": 255, "/257": 255, "/other": 0} {
		if got := g.do(t, g.request(t, "GET", path, nil)); got.status != 200 {
			t.Fatalf("%s: got %d", path, got.status)
		}
		if got := <-h.classes; got != want {
			t.Errorf("class of %s: got %d, want %d", path, got, want)
		}
	}
}
