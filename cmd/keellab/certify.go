package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/certify"
)

// certifySim is keellab certify.
func certifySim(c *cli.Call) error {
	seeds := 10
	if err := c.ParseFlags(func(fs *flag.FlagSet) {
		fs.IntVar(&seeds, "seeds", seeds, "`number` of seeds; at least 10 for a verdict")
	}); err != nil {
		return err
	}
	if seeds < 10 || seeds > 10_000 {
		return c.Usagef("%d seeds: expected 10 to 10000", seeds)
	}
	began := time.Now()
	done := 0
	cases := certify.Cases()
	results, err := certify.Run(c.Context, cases, certify.Options{Seeds: seeds, Effort: 1, Done: func([]certify.Result) {
		done++
		fmt.Fprintf(c.Stderr, "certify: %d of %d systems, %.0f s\n", done, len(cases), time.Since(began).Seconds())
	}})
	if err != nil {
		return err
	}
	certify.Print(c.Stdout, results)
	missed := 0
	for _, r := range results {
		if !r.OK() {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("the simulator is not certified: %d of %d figures are off", missed, len(results))
	}
	return nil
}
