package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

const (
	// calibrateFor is how long a calibration lasts: long enough for a p99 of what the
	// catalogue sends in it.
	calibrateFor = 3 * time.Second
	// calibrateTries is how often it is tried, as a trial is.
	calibrateTries = 3
)

// Calibration is what the same load costs without any proxy: what no subject can be better
// than here.
type Calibration struct {
	Scenario  string           `json:"scenario"`
	Requests  int              `json:"requests"`
	Generator record.Generator `json:"generator"`
}

// String is one line about it.
func (c Calibration) String() string {
	if c.Requests == 0 {
		return fmt.Sprintf("%s without a proxy: nobody arrives so early that it could be calibrated", c.Scenario)
	}
	g := &c.Generator
	return fmt.Sprintf("%s without a proxy: %.2f ms at the median and %.2f ms at the p99 beyond the servers' time; lateness p99 %.2f ms; processors busy for %.0f %%",
		c.Scenario, milliseconds(g.BeyondP50), milliseconds(g.BeyondP99), milliseconds(g.LatenessP99), 100*g.Busy)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ErrUntrusted is wrapped by the error of a calibration that failed: this machine cannot be
// trusted with this load now, so there are no numbers.
var ErrUntrusted = errors.New("not to be trusted")

// CalibrationExtension ends the name of the file that a calibration leaves.
const CalibrationExtension = ".calibration.json"

// Calibrate sends the beginning of the scenario's load straight to its servers, without
// faults and without a proxy, and looks whether the generator keeps its plan. What it
// measures there is its own share in everything that it measures later.
func (d Driver) Calibrate(ctx context.Context, s *scenario.Scenario) (Calibration, error) {
	alone := *s
	alone.Faults = nil
	alone.Duration = min(s.Duration, calibrateFor)
	c := Calibration{Scenario: s.Name}
	for try := 1; ; try++ {
		void, err := d.calibrate(ctx, &alone, &c)
		if err != nil {
			return c, fmt.Errorf("calibrating %s without a proxy: %w", s.Name, err)
		}
		if void == "" {
			break
		}
		if try == calibrateTries {
			return c, fmt.Errorf("%w: %s without a proxy, %d times: %s (is this machine busy with something else?)", ErrUntrusted, s.Name, try, void)
		}
	}
	if d.Dir == "" {
		return c, nil
	}
	path := filepath.Join(d.Dir, record.Folder, record.Safe(s.Name)+"."+record.Live+CalibrationExtension)
	return c, writeTo(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(c)
	})
}

// calibrate is one try.
func (d Driver) calibrate(ctx context.Context, s *scenario.Scenario, c *Calibration) (void string, err error) {
	chance := scenario.NewChance(s.Seed)
	plan := slices.Collect(s.Schedule(chance))
	c.Requests = len(plan)
	if len(plan) == 0 {
		return "", nil
	}
	servers, err := startFleet(s, len(plan))
	defer func() { err = errors.Join(err, servers.close()) }()
	if err != nil {
		return "", err
	}
	defer d.Metrics.show(servers)()
	a := assault{
		scenario: s, chance: chance, plan: plan, fleet: servers, target: servers[0].URL(), direct: true,
		start: func(time.Time) {},
	}
	if err := a.run(ctx); err != nil {
		return "", err
	}
	g, void := a.judge()
	c.Generator = *g
	return void, nil
}
