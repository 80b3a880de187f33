package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/evenkeel/evenkeel/lab/certify"
)

// certifySim is keellab certify.
func certifySim(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	seeds := 10
	rest, err := parse("certify", args, stderr, func(fs *flag.FlagSet) {
		fs.IntVar(&seeds, "seeds", seeds, "`number` of seeds; at least 10 for a verdict")
	})
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return usagef("certify: unexpected argument %q", rest[0])
	case seeds < 10 || seeds > 10_000:
		return usagef("certify: %d seeds: expected 10 to 10000", seeds)
	}
	began := time.Now()
	done := 0
	cases := certify.Cases()
	results, err := certify.Run(ctx, cases, certify.Options{Seeds: seeds, Effort: 1, Done: func([]certify.Result) {
		done++
		fmt.Fprintf(stderr, "certify: %d of %d systems, %.0f s\n", done, len(cases), time.Since(began).Seconds())
	}})
	if err != nil {
		return err
	}
	certify.Print(stdout, results)
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
