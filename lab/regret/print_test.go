package regret

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rows = []Row{
	{Scenario: "calm", Endpoints: 10, Proxies: 1, Best: "least-requests", Regret: Ratio{1.002, 0.9995, 1.0049, 10}, BestP99: 0.0917, OurP99: 0.09191, Reference: 0.993},
	{Scenario: "black-hole", Endpoints: 200, Proxies: 20, Best: "random", Regret: Ratio{1.1, 1.05, 1.15, 100}, BestP99: 5, OurP99: 5.5,
		BestErrors: 0.0833, OurErrors: 0.0853, Reference: 1.25, Wide: true, Unstable: 3},
}

func TestPrint(t *testing.T) {
	o := &Options{Subject: "p2c-ewma"}
	tables := []Table{{AsScenario, rows}, {Off, rows[:1]}}
	for _, c := range []struct {
		markdown bool
		want     string
	}{
		{false, `Regret of p2c-ewma, with the scenario's breakers; goal: regret at most 1.05, errors at most 0.1 points above.

scenario    endpoints  proxies  best other      its p99 ms  p99 ms  regret  95 % interval   errors %  points above  to p2c-least-requests  seeds                  goal
calm        10         1        least-requests  91.7        91.9    1.002   1.000 to 1.005  0.00      +0.00         0.993                  10                     ok
black-hole  200        20       random          5000.0      5500.0  1.100   1.050 to 1.150  8.53      +0.20         1.250                  100 (wide) (unstable)  MISS

1 of 2 ok; regret 1.050 in the geometric mean, 1.100 at most (black-hole).

Regret of p2c-ewma, without breakers; goal: regret at most 1.05, errors at most 0.1 points above.

scenario  endpoints  proxies  best other      its p99 ms  p99 ms  regret  95 % interval   errors %  points above  to p2c-least-requests  seeds  goal
calm      10         1        least-requests  91.7        91.9    1.002   1.000 to 1.005  0.00      +0.00         0.993                  10     ok

1 of 1 ok; regret 1.002 in the geometric mean, 1.002 at most (calm).
`},
		{true, `Regret of p2c-ewma, with the scenario's breakers; goal: regret at most 1.05, errors at most 0.1 points above.

| scenario | endpoints | proxies | best other | its p99 ms | p99 ms | regret | 95 % interval | errors % | points above | to p2c-least-requests | seeds | goal |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|
| calm | 10 | 1 | least-requests | 91.7 | 91.9 | 1.002 | 1.000 to 1.005 | 0.00 | +0.00 | 0.993 | 10 | ok |
| black-hole | 200 | 20 | random | 5000.0 | 5500.0 | 1.100 | 1.050 to 1.150 | 8.53 | +0.20 | 1.250 | 100 (wide) (unstable) | **MISS** |

1 of 2 ok; regret 1.050 in the geometric mean, 1.100 at most (black-hole).

Regret of p2c-ewma, without breakers; goal: regret at most 1.05, errors at most 0.1 points above.

| scenario | endpoints | proxies | best other | its p99 ms | p99 ms | regret | 95 % interval | errors % | points above | to p2c-least-requests | seeds | goal |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|
| calm | 10 | 1 | least-requests | 91.7 | 91.9 | 1.002 | 1.000 to 1.005 | 0.00 | +0.00 | 0.993 | 10 | ok |

1 of 1 ok; regret 1.002 in the geometric mean, 1.002 at most (calm).
`},
	} {
		var b strings.Builder
		Print(&b, tables, o, c.markdown)
		if diff := cmp.Diff(c.want, b.String()); diff != "" {
			t.Errorf("markdown %t (-want +got):\n%s", c.markdown, diff)
		}
	}
}

// A cell says what is known: in bold what differs by more than 2 % and by more than
// chance; errors where they differ as much as the goal allows.
func TestCell(t *testing.T) {
	for _, c := range []struct {
		cell Cell
		want string
	}{
		{Cell{Ratio: Ratio{1, 1, 1, 10}, Same: true}, "="},
		{Cell{Ratio: Ratio{1.019, 1.01, 1.03, 10}}, "1.019 (1.010 to 1.030)"},
		{Cell{Ratio: Ratio{1.021, 1.01, 1.03, 10}}, "**1.021 (1.010 to 1.030)**"},
		{Cell{Ratio: Ratio{1.021, 0.999, 1.043, 10}}, "1.021 (0.999 to 1.043)"},
		{Cell{Ratio: Ratio{0.981, 0.97, 0.99, 10}}, "0.981 (0.970 to 0.990)"},
		{Cell{Ratio: Ratio{0.979, 0.97, 0.99, 10}}, "**0.979 (0.970 to 0.990)**"},
		{Cell{Ratio: Ratio{0.97, 0.93, 1.01, 10}}, "0.970 (0.930 to 1.010)"},
		{Cell{Ratio: Ratio{54, 53, 55, 10}, Points: 79.29}, "**54.000 (53.000 to 55.000)**, errors +79.29"},
		{Cell{Ratio: Ratio{1, 0, math.Inf(1), 1}, Points: -0.1}, "1.000 (0.000 to +Inf), errors -0.10"},
		{Cell{Ratio: Ratio{1, 0.99, 1.01, 10}, Points: 0.099}, "1.000 (0.990 to 1.010)"},
	} {
		if got := c.cell.String(); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.cell, got, c.want)
		}
	}
}

func TestPrintAblation(t *testing.T) {
	cells := make([]Cell, len(Guards))
	for i := range cells {
		cells[i].Same = true
	}
	cells[1] = Cell{Ratio: Ratio{1.5, 1.4, 1.6, 10}}
	table := Ablation{AsScenario, []AblationRow{{"calm", 10, 1, 0.0919, cells}}}
	off := table
	off.Breakers = Off
	var b strings.Builder
	PrintAblation(&b, []Ablation{table, off}, &Options{Subject: "ewma"})
	const grid = "| scenario | endpoints | proxies | p99 ms | `samples=0` | `near=0` | `outlier=0` | `penalty=0s` | `aside=false` | `peak=true` | `age=false` | `grace=0` | `drift=false` | `explore=10s` | `seed=false` | `scan_up_to=0` | `most_choices=2` | `trust=false` | `slow_start=10s` | `classes=true` | `decay=10s` | `panic_threshold=0` |\n" +
		"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n" +
		"| calm | 10 | 1 | 91.9 | = | **1.500 (1.400 to 1.600)** | = | = | = | = | = | = | = | = | = | = | = | = | = | = | = | = |\n"
	want := "p99 of ewma with one setting changed, over its p99 as it is, with the scenario's breakers.\n\n" + grid +
		"\np99 of ewma with one setting changed, over its p99 as it is, without breakers.\n\n" + grid
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
