package scenario_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// A part that names a limiter sets the limit of the pool, one that names a shedder its
// shedding: each at most once, in place of the scenario's, and leaving that as it is.
func TestSubjectsWithLimits(t *testing.T) {
	s := scenario.Default()
	fixed, ratio := config.NewConcurrency("fixed"), config.NewShed("accept-ratio")
	s.Proxy.Concurrency, s.Proxy.EndpointConcurrency, s.Proxy.Shed = &fixed, &fixed, &ratio
	before := [...]config.Concurrency{fixed}

	gradient2, codel, vegas, lined := config.NewConcurrency("gradient2"), config.NewShed("codel"), config.NewConcurrency("vegas"), fixed
	gradient2.Initial, gradient2.Queue, vegas.MaxWait, lined.Queue = 5, 1000, 0, 1000
	strict := ratio
	strict.K = 1.2
	for text, want := range map[string]struct {
		limiter *config.Concurrency
		shed    *config.Shed
	}{
		"random":                            {&fixed, &ratio},
		"random+fixed":                      {&fixed, &ratio},
		"random+codel":                      {&lined, &codel},
		"random+codel+gradient2{initial=5}": {&gradient2, &codel},
		"random+gradient2{initial=5}+codel": {&gradient2, &codel},
		"random+accept-ratio{k=1.2}":        {&fixed, &strict},
		"random+fixed+accept-ratio{k=1.2}":  {&fixed, &strict},
	} {
		got, err := s.Subject(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want.limiter, got.Policies.Concurrency) + cmp.Diff(want.shed, got.Policies.Shed); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	got, err := s.Subject("random+endpoint_concurrency{name=vegas}")
	if diff := cmp.Diff(&vegas, got.Policies.EndpointConcurrency); err != nil || diff != "" {
		t.Errorf("limit of each endpoint: %v (-want +got):\n%s", err, diff)
	}
	if fixed != before[0] || s.Proxy.Shed.K != 2 || s.Proxy.Concurrency != &fixed {
		t.Errorf("the scenario's own were changed: %+v, %+v", fixed, s.Proxy.Shed)
	}
	for _, text := range []string{"random+codel+accept-ratio", "random+codel+codel", "random+vegas+aimd", "random+vegas{limit=5}", "random+codel{k=2}"} {
		if _, err := s.Subject(text); err == nil {
			t.Errorf("%s: got no error", text)
		}
	}
}
