package serve_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/explain"
)

// Who is told by the header, and whether there is a page, is as the file says.
func TestDecisionsAreToldAsConfigured(t *testing.T) {
	at := backend(t, func(http.ResponseWriter, *http.Request) {})
	here, elsewhere := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	for name, c := range map[string]struct {
		decisions config.Decisions
		trusted   netip.Prefix
		told      bool
		kept      int // -1: no page
	}{
		"trusted, and it is":     {config.Decisions{Sample: 1, Keep: 1, Header: config.HeaderTrusted}, here, true, 1},
		"trusted, and it is not": {config.Decisions{Sample: 1, Keep: 1, Header: config.HeaderTrusted}, elsewhere, false, 1},
		"loopback":               {config.Decisions{Sample: 1, Keep: 1, Header: config.HeaderLoopback}, elsewhere, true, 1},
		"off":                    {config.Decisions{Sample: 0, Keep: 1, Header: config.HeaderOff}, here, false, -1},
	} {
		file := parse(t, at, "", "", "")
		file.Admin.Decisions, file.TrustedProxies = c.decisions, []netip.Prefix{c.trusted}
		s := start(t, file)
		r, err := http.NewRequest(http.MethodGet, s.public(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(explain.AskHeader, "1")
		got, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if told := got.Header.Get(explain.TellHeader) != ""; told != c.told {
			t.Errorf("%s: told %v, want %v", name, told, c.told)
		}
		page := s.get(s.admin() + "/api/v1/decisions?pool=" + file.Pools[0].Name)
		if c.kept < 0 {
			if page.status != http.StatusNotFound {
				t.Errorf("%s: the page is there: %d", name, page.status)
			}
		} else if n := strings.Count(page.body, `"attempt":1`); n != c.kept || !strings.Contains(page.body, at) {
			t.Errorf("%s: got %d decisions, want %d: %s", name, n, c.kept, page.body)
		}
	}
}
