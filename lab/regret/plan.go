package regret

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// SubjectError is a subject that cannot be, with what is added to it here.
type SubjectError struct{ error }

// plan is one row to be measured: the subjects in one scenario.
type plan struct {
	scenario   *scenario.Scenario
	subjects   []scenario.Subject
	table, row int
}

func (p *plan) label() string {
	return fmt.Sprintf("%s, %d endpoints, %d proxies, %s", p.scenario.Name, p.scenario.Servers.Count, p.scenario.Proxies, p.subjects[0].Name)
}

// alike tells whether two plans are the same but for the names of their subjects.
func (p *plan) alike(q *plan) bool {
	return slices.EqualFunc(p.subjects, q.subjects, func(a, b scenario.Subject) bool {
		return reflect.DeepEqual(a.Policies, b.Policies)
	})
}

// runAll measures a row for each scenario and kind of breakers. Where two kinds are the
// same in a scenario it is played once, and copy is told at the end which row of a table
// is that of which other one. A row whose trials are too small does not stop the others: all
// such are told of at the end, in the order of their scenarios.
func (o *Options) runAll(ctx context.Context, scenarios []*scenario.Scenario, breakers []Breakers, subjects []string,
	measure func(context.Context, *lab, *plan) error, copy func(table, same, row int)) error {
	plans, copies, err := plansOf(scenarios, breakers, subjects)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := newLab(o)
	next := make(chan *plan)
	var workers sync.WaitGroup
	var mu sync.Mutex
	done := 0
	small := map[*plan]error{}
	// As many rows at once as trials, so that no core waits for the end of a batch.
	for range o.Parallel {
		workers.Go(func() {
			for p := range next {
				if ctx.Err() != nil {
					continue
				}
				err := measure(ctx, l, p)
				mu.Lock()
				if _, few := errors.AsType[TooFewError](err); few {
					small[p] = err
				} else if err != nil {
					cancel(err)
				}
				if done++; o.Done != nil && err == nil {
					o.Done(done, len(plans), p.label())
				}
				mu.Unlock()
			}
		})
	}
	for _, p := range plans {
		next <- p
	}
	close(next)
	workers.Wait()
	for _, c := range copies {
		copy(c.table, c.same, c.row)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	var all []error
	for _, p := range plans {
		all = append(all, small[p])
	}
	return errors.Join(all...)
}

// alias is a row that is that of another table.
type alias struct{ table, same, row int }

// plansOf are the rows to be measured, and those that are the same as one of them.
func plansOf(scenarios []*scenario.Scenario, breakers []Breakers, subjects []string) (plans []*plan, copies []alias, err error) {
	for row, s := range scenarios {
		var here []*plan
		for table, b := range breakers {
			p := &plan{scenario: s, table: table, row: row}
			for _, text := range subjects {
				subject, err := s.Subject(text + b.suffix())
				if err != nil {
					return nil, nil, SubjectError{err}
				}
				p.subjects = append(p.subjects, subject)
			}
			if same := slices.IndexFunc(here, p.alike); same >= 0 {
				copies = append(copies, alias{table, here[same].table, row})
				continue
			}
			here = append(here, p)
		}
		plans = append(plans, here...)
	}
	return plans, copies, nil
}
