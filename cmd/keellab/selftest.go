package main

import (
	"flag"
	"fmt"
	"runtime"
	"time"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/selftest"
)

// testStatistics is keellab selftest.
func testStatistics(c *cli.Call) error {
	o := selftest.Options{Experiments: 200, Seed: 1, Parallel: runtime.GOMAXPROCS(0)}
	if err := c.ParseFlags(func(fs *flag.FlagSet) {
		fs.IntVar(&o.Experiments, "experiments", o.Experiments, "`number` of experiments of each simulated kind, of drawn ones several times that; at least 50")
		fs.Uint64Var(&o.Seed, "seed", o.Seed, "`seed` of the experiments")
	}); err != nil {
		return err
	}
	if o.Experiments < 50 || o.Experiments > 100_000 {
		return c.Usagef("%d experiments: expected 50 to 100000", o.Experiments)
	}
	began := time.Now()
	cases := selftest.Cases()
	o.Done = func(done int) {
		fmt.Fprintf(c.Stderr, "selftest: %d of %d cases, %.0f s\n", done, len(cases), time.Since(began).Seconds())
	}
	results, err := selftest.Run(c.Context, cases, o)
	if err != nil {
		return err
	}
	selftest.Print(c.Stdout, results)
	missed := 0
	for i := range results {
		if !results[i].OK() {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("the statistics do not keep their promise in %d of %d cases", missed, len(results))
	}
	return nil
}
