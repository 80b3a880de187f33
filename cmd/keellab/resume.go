package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
	"github.com/evenkeel/evenkeel/lab/stat"
	"github.com/evenkeel/evenkeel/lab/trial"
)

// An experiment ends by the rule that is said before it begins, by a deadline that is part
// of that rule, or by an interruption, after which it may be resumed.

// errDeadline is the cause of an end by the deadline.
var errDeadline = errors.New("the deadline has come")

// rule says when the experiment ends.
func (e *experiment) rule() string {
	text := count(e.blocks, "block")
	if e.more.HalfWidth > 0 {
		text += fmt.Sprintf(", then half as many again, up to %d, until the widest interval is within ± %g %%", e.more.Most, 100*e.more.HalfWidth)
	}
	if e.driver.Name() == record.Live {
		text += fmt.Sprintf("; a void trial is played up to %d times", trial.MaxTries)
	}
	if e.within > 0 {
		text += fmt.Sprintf("; in any case %v", e.within)
	}
	return text
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// prepare does what comes before the first trial of a scenario, once.
func (e *experiment) prepare(ctx context.Context, s *scenario.Scenario) error {
	if e.before == nil || slices.Contains(e.prepared, s.Name) {
		return nil
	}
	e.prepared = append(e.prepared, s.Name)
	return e.before(ctx, s)
}

// playWithin plays the blocks, until the deadline at the most. Of what that leaves
// unfinished the whole blocks count.
func (e *experiment) playWithin(began time.Time) (map[string][]stat.Digest, error) {
	ctx := e.call.Context
	if e.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, began.Add(e.within), errDeadline)
		defer cancel()
	}
	digests, err := e.playBlocks(ctx)
	if !errors.Is(err, errDeadline) {
		return digests, err
	}
	stopped := map[int][]string{} // by the blocks that were played
	for _, s := range e.scenarios {
		whole, blocks := wholeBlocks(digests[s.Name], len(e.subjects[s.Name]))
		digests[s.Name] = whole
		if blocks < e.blocks {
			stopped[blocks] = append(stopped[blocks], s.Name)
		}
		if blocks == 0 { // nor is anything left of it
			if err := os.Remove(stat.DigestPath(e.out, s.Name, e.driver.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return digests, err
			}
		}
	}
	for _, blocks := range slices.Sorted(maps.Keys(stopped)) {
		e.skipped = append(e.skipped, fmt.Sprintf("stopped at the deadline of %v, after %d of %s%s: %s",
			e.within, blocks, count(e.blocks, "block"), undecided(blocks), strings.Join(stopped[blocks], ", ")))
	}
	if !slices.ContainsFunc(e.scenarios, func(s *scenario.Scenario) bool { return len(digests[s.Name]) > 0 }) {
		return digests, fmt.Errorf("UNDECIDED: the deadline of %v came before the first block was played", e.within)
	}
	return digests, nil
}

// decidable is the least number of blocks from which a verdict can be given: of fewer the
// least p is 2/2^5, which is above 0.05.
const decidable = 6

func undecided(blocks int) string {
	if blocks < decidable {
		return ", UNDECIDED"
	}
	return ""
}

// wholeBlocks leaves out the digests of blocks in which some subject has none, and says how
// many are left.
func wholeBlocks(digests []stat.Digest, subjects int) (whole []stat.Digest, blocks int) {
	played := map[int]int{}
	for _, d := range digests {
		if played[d.Header.Block]++; played[d.Header.Block] == subjects {
			blocks++
		}
	}
	return slices.DeleteFunc(slices.Clone(digests), func(d stat.Digest) bool { return played[d.Header.Block] < subjects }), blocks
}

// resumed are the digests of what an earlier run of this experiment has played, by scenario;
// that the scenarios are the same has been seen to. Void trials are played again. None, if
// nothing is to be resumed.
func (e *experiment) resumed() (map[string][]stat.Digest, error) {
	digests := make(map[string][]stat.Digest)
	if !e.resume {
		return digests, nil
	}
	trials := 0
	for _, s := range e.scenarios {
		path := stat.DigestPath(e.out, s.Name, e.driver.Name())
		earlier, err := stat.ReadDigests(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		plan := e.plan(s, e.blocks)
		for _, d := range earlier {
			h := &d.Header
			switch {
			case !slices.ContainsFunc(plan, func(p trial.Plan) bool { return of(p)(d) }):
				return nil, fmt.Errorf("%s has %s with seed %d in block %d, which this command would not play: expected the command that was interrupted", path, h.Subject, h.Seed, h.Block+1)
			case h.Void == "":
				digests[s.Name] = append(digests[s.Name], d)
			}
		}
		trials += len(digests[s.Name])
	}
	fmt.Fprintf(e.call.Stderr, "%s: resumed: %s played before\n", e.driver.Name(), count(trials, "trial"))
	return digests, nil
}

// interrupted adds to the error of an interruption how the experiment goes on.
func (e *experiment) interrupted(err error) error {
	if errors.Is(err, context.Canceled) && e.driver.Name() == record.Live {
		fmt.Fprintln(e.call.Stderr, "the same command with --resume goes on from here")
	}
	return err
}
