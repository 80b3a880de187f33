package core_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// informed is an estimator that goes by reports.
type informed struct {
	fixed
	said core.Reported
}

func (i *informed) Reported(core.Instant) core.Reported { return i.said }

// What the ready members report in the middle is known of the pool, each part of whom it is
// known of; where it is known of nobody there is no load, and all latency is work.
func TestReported(t *testing.T) {
	said := map[string]*informed{}
	gates := map[string]*gate{}
	p := newPool(t, core.Config{Picker: inOrder{}, Equip: func(m *core.Member) core.Parts {
		gates[m.Key], said[m.Key] = &gate{}, &informed{said: core.Reported{Load: -1, Work: -1}}
		return core.Parts{Gates: []core.Gate{gates[m.Key]}, Estimator: said[m.Key]}
	}}, "a", "b", "c", "d", "out")
	p.gates = gates
	gates["out"].verdict = core.Barred
	said["out"].said = core.Reported{Load: 1000, Work: 1000}
	steps := []struct {
		key  string
		says core.Reported
		want core.Reported
	}{
		{"a", core.Reported{Load: -1, Work: -1}, core.Reported{Load: 0, Work: 1}},
		{"a", core.Reported{Load: 8, Work: 0.5}, core.Reported{Load: 8, Work: 0.5}},
		{"b", core.Reported{Load: 2, Work: -1}, core.Reported{Load: 5, Work: 0.5}},
		{"c", core.Reported{Load: 0, Work: 3}, core.Reported{Load: 2, Work: 1.75}},
		{"d", core.Reported{Load: 90, Work: -1}, core.Reported{Load: 5, Work: 1.75}},
		{"a", core.Reported{Load: -1, Work: -1}, core.Reported{Load: 2, Work: 3}},
	}
	for i, s := range steps {
		said[s.key].said = s.says
		p.begin(t, core.Instant(i)*sec)
		if got := p.View().Pool.Reported(); got != s.want {
			t.Errorf("step %d: got %+v, want %+v", i, got, s.want)
		}
	}
}
