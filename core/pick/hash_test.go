package pick_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/pick"
)

// owners are the keys of the members that the first n keys go to.
func (p pool) owners(n int) []string {
	all := make([]string, n)
	for k := range n {
		all[k] = "nobody"
		if slot := p.pick(&core.Ask{Key: core.Hash(fmt.Sprint(k))}); slot >= 0 {
			all[k] = p.View().Members[slot].Key
		}
	}
	return all
}

// keysOf counts the keys of each of so many members called 0, 1, 2 ...
func keysOf(members int, owners []string) []int {
	by := map[string]int{}
	for _, o := range owners {
		by[o]++
	}
	counts := make([]int, members)
	for i := range counts {
		counts[i] = by[fmt.Sprint(i)]
	}
	return counts
}

// The same key goes to the same member in every process, whatever order the endpoints
// stand in: were this to change, every client would lose its endpoint with the upgrade.
func TestHashIsTheSameEverywhere(t *testing.T) {
	want := []string{"0", "1", "2", "3", "4", "2", "4", "4", "2", "3", "4", "1"}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 2, 0, 1, 3}} {
		p := newPool(t, &pick.Hash{}, ready(5)...)
		var es []core.Endpoint
		for _, i := range order {
			es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: float64(i + 1)})
		}
		if err := p.Update(0, es); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, p.owners(12)); diff != "" {
			t.Errorf("owners in the order %v (-want +got):\n%s", order, diff)
		}
		if got, want := core.Hash(strings.Join(p.owners(5000), " ")), uint64(0xc8459f361b60e6f3); got != want {
			t.Errorf("owners of 5,000 keys in the order %v: got the hash %#x, want %#x", order, got, want)
		}
	}
}

// Many members take many entries from one another: who comes first must not be who stands
// first.
func TestHashKnowsNoOrder(t *testing.T) {
	const members = 200
	p := newPool(t, &pick.Hash{}, ready(members)...)
	want := p.owners(40_000)
	var es []core.Endpoint
	for i := range members {
		es = append(es, core.Endpoint{Key: fmt.Sprint(members - 1 - i), Weight: 1})
	}
	if err := p.Update(0, es); err != nil {
		t.Fatal(err)
	}
	if got := p.owners(40_000); !slices.Equal(got, want) {
		t.Error("the owners are others when the endpoints stand the other way round")
	}
}

// Of N = 40,000 keys a share p has a standard deviation of sqrt(N·p·(1-p)); six of
// them, and what the table rounds: a key in 65,537 for each of n members, and n/2 of
// 65,537 of the share.
func TestHashSharesByWeight(t *testing.T) {
	const keys = 40_000
	for _, weights := range [][]float64{{1, 1, 1, 1, 1}, {5, 1, 1}, {1, 0, 3}, {1000, 1, 500, 0.5}, slices.Repeat([]float64{3}, 50)} {
		p := weighed(t, &pick.Hash{}, weights...)
		sum := 0.0
		for _, w := range weights {
			sum += w
		}
		n := float64(len(weights))
		for slot, got := range keysOf(len(weights), p.owners(keys)) {
			share := weights[slot] / sum
			off := 6*math.Sqrt(keys*share*(1-share)) + keys/65537.0*(1+n/2*share)
			if share == 0 {
				off = 0
			}
			if math.Abs(float64(got)-keys*share) > off {
				t.Errorf("keys of member %d of %v: got %d, want %.0f ± %.0f", slot, weights, got, keys*share, off)
			}
		}
	}
}

// A member of next to no weight has some of the table all the same.
func TestHashForgetsNobody(t *testing.T) {
	weights := slices.Repeat([]float64{1000}, 200)
	weights[77] = 1 // due a third of an entry
	p := weighed(t, &pick.Hash{}, weights...)
	// That none of 1,000,000 keys meets one entry of 65,537 has a chance of e^-15.
	for key := range uint64(1_000_000) {
		if p.pick(&core.Ask{Key: key}) == 77 {
			return
		}
	}
	t.Error("keys of the lightest: got none")
}

// Shares are rounded to entries, not cut off: 10,000 members that are due 1.9 each get
// two, and leave 45,537 of the 65,537 to the one that is due the rest. A share of
// N = 200,000 keys has a standard deviation of at most 0.0011; six of them.
func TestHashRoundsShares(t *testing.T) {
	const keys = 200_000
	weights := slices.Repeat([]float64{19}, 10_001)
	weights[500] = 465_370
	p := weighed(t, &pick.Hash{}, weights...)
	got := 0
	for key := range uint64(keys) {
		if p.pick(&core.Ask{Key: key}) == 500 {
			got++
		}
	}
	if share, want := float64(got)/keys, 45_537.0/65_537; math.Abs(share-want) > 0.0066 {
		t.Errorf("share: got %.4f, want %.4f ± 0.0066", share, want)
	}
}

// When one of n members goes, its keys move, and of the others' as few as make an even
// table again. A ring moves 1/n; Maglev's table moves about twice that at worst, as
// Envoy's documentation has it. Keys taken modulo the number of members move all but
// one in n. The keys that go back when it returns are the same.
func TestHashMovesFewKeys(t *testing.T) {
	const keys = 20_000
	for _, n := range []int{3, 10, 50} {
		p := weighed(t, &pick.Hash{}, slices.Repeat([]float64{1}, n)...)
		before := p.owners(keys)
		for _, change := range []string{"gone", "drained"} {
			var es []core.Endpoint
			for i := range n {
				switch {
				case i != 1:
					es = append(es, core.Endpoint{Key: fmt.Sprint(i), Weight: 1})
				case change == "drained":
					es = append(es, core.Endpoint{Key: fmt.Sprint(i)})
				}
			}
			if err := p.Update(0, es); err != nil {
				t.Fatal(err)
			}
			moved, own := 0, 0
			for k, owner := range p.owners(keys) {
				if owner == "1" {
					t.Fatalf("key %d still goes to the one %s", k, change)
				}
				if owner != before[k] {
					moved++
				}
				if before[k] == "1" {
					own++
				}
			}
			t.Logf("one of %d %s: %d of %d keys moved, %d of them its own", n, change, moved, keys, own)
			if moved < own || moved > 2*keys/n {
				t.Errorf("one of %d %s: %d of %d keys moved, %d of them its own; want no more than %d", n, change, moved, keys, own, 2*keys/n)
			}
		}
		p.weigh(t, slices.Repeat([]float64{1}, n)...)
		if !slices.Equal(before, p.owners(keys)) {
			t.Errorf("one of %d back: some keys go elsewhere than before", n)
		}
	}
}

// A member that may not take its keys passes them on, each in its own order: to all
// others in proportion to their weights, not to one neighbour; and nobody else's keys
// move. Six standard deviations as above.
func TestHashPassesKeysOn(t *testing.T) {
	const keys = 60_000
	for _, verdict := range []core.Verdict{B, F} {
		p := weighed(t, &pick.Hash{}, 2, 4, 1, 3)
		before := p.owners(keys)
		q := newPool(t, &pick.Hash{}, R, verdict, R, R)
		q.weigh(t, 2, 4, 1, 3)
		passed := make(map[string]int)
		total := 0
		for k, owner := range q.owners(keys) {
			if before[k] == "1" {
				passed[owner]++
				total++
			} else if owner != before[k] {
				t.Fatalf("key %d went from %s to %s, and neither is %v", k, before[k], owner, verdict)
			}
		}
		for owner, share := range map[string]float64{"0": 2.0 / 6, "1": 0, "2": 1.0 / 6, "3": 3.0 / 6} {
			n := float64(total)
			if off := math.Abs(float64(passed[owner]) - n*share); off > 6*math.Sqrt(n*share*(1-share)) {
				t.Errorf("keys of the one %v that %s got: %d of %d, want %.0f", verdict, owner, passed[owner], total, n*share)
			}
		}
	}
}

// One on probation takes its own keys; a retry goes to one that is known to be well.
func TestHashProbationAndRetries(t *testing.T) {
	p := newPool(t, &pick.Hash{}, R, P, R)
	members := p.View().Members
	plain := weighed(t, &pick.Hash{}, 1, 1, 1)
	if diff := cmp.Diff(plain.owners(1000), p.owners(1000)); diff != "" {
		t.Errorf("owners with one on probation (-want +got):\n%s", diff)
	}
	for key := range uint64(200) {
		first := p.pick(&core.Ask{Key: key})
		a := &core.Ask{Key: key}
		a.Tried[0] = members[first]
		second := p.pick(a)
		if second == first || second == 1 {
			t.Fatalf("key %d: tried %d, then got %d", key, first, second)
		}
		a.Tried[1] = members[second]
		if third := p.pick(a); third == first || third == second || third < 0 {
			t.Fatalf("key %d: tried %d and %d, then got %d", key, first, second, third)
		}
	}
}

// When the places that are looked at are all taken, everybody is looked at: two of a
// thousand may take a key, one of three times the other's weight.
func TestHashWhenFewMay(t *testing.T) {
	verdicts := slices.Repeat([]core.Verdict{B}, 1000)
	verdicts[123], verdicts[877] = R, R
	p := newPool(t, &pick.Hash{}, verdicts...)
	weights := slices.Repeat([]float64{5}, 1000)
	weights[123], weights[877] = 1, 3
	p.weigh(t, weights...)
	owners := p.owners(8000)
	counts := keysOf(1000, owners)
	// N·p ± six standard deviations, as for the weighted turns.
	if got := counts[877]; math.Abs(float64(got)-6000) > 233 || counts[123] != 8000-got {
		t.Errorf("keys: got %d and %d, want 2000 and 6000 ± 233", counts[123], got)
	}
	if !slices.Equal(owners, p.owners(8000)) {
		t.Error("the same keys went elsewhere the second time")
	}

	// A retry prefers who is known to be well, though the other weighs more.
	verdicts[877] = P
	p = newPool(t, &pick.Hash{}, verdicts...)
	p.weigh(t, weights...)
	for key := range uint64(200) {
		a := &core.Ask{Key: key}
		a.Tried[0] = p.View().Members[0]
		if got := p.pick(a); got != 123 {
			t.Fatalf("retry of key %d: got %d, want 123", key, got)
		}
		a.Tried[1] = p.View().Members[123]
		if got := p.pick(a); got != 877 {
			t.Fatalf("second retry of key %d: got %d, want 877", key, got)
		}
	}
}

// Invariant: no attempt makes a member's pending more than the ceiling of the factor
// times its part of all that are pending, its weight's part of those that may; and
// somebody takes every attempt as long as anybody may. So it holds for the one key that
// everybody asks for, too.
func TestHashBoundsLoads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		factor := rapid.SampledFrom([]float64{1, 1.25, 2}).Draw(rt, "factor")
		weights := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 8).Draw(rt, "weights")
		verdicts := make([]core.Verdict, len(weights))
		list, open := make([]float64, len(weights)), 0.0
		for i, w := range weights {
			verdicts[i] = rapid.SampledFrom([]core.Verdict{R, R, P, B, F}).Draw(rt, "verdict")
			list[i] = float64(w)
			if verdicts[i].Open() {
				open += list[i]
			}
		}
		p := newPool(t, &pick.Hash{Factor: factor}, verdicts...)
		p.weigh(t, list...)
		var leases []*core.Lease
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			if len(leases) > 0 && rapid.IntRange(0, 3).Draw(rt, "settle") == 0 {
				i := rapid.IntRange(0, len(leases)-1).Draw(rt, "which")
				leases[i].Settle(0, core.Sample{Outcome: core.Success})
				leases = slices.Delete(leases, i, i+1)
			}
			l := new(core.Lease)
			a := &core.Ask{Key: rapid.Uint64Range(0, 2).Draw(rt, "key")}
			if !p.Begin(0, a, l) {
				if open > 0 {
					rt.Fatal("begin: got no lease, though some may take it")
				}
				return
			}
			leases = append(leases, l)
			if got := p.View().Pool.Pending(); got != len(leases) {
				rt.Fatalf("pending in the pool: got %d, want %d", got, len(leases))
			}
			m := l.Member()
			if most := math.Ceil(factor * float64(len(leases)) * m.Weight() / open); float64(m.Pending()) > most {
				rt.Fatalf("pending at %s of weight %v of %v: got %d of %d, want at most %v", m.Key, m.Weight(), open, m.Pending(), len(leases), most)
			}
		}
	})
}

// Without contention a key stays where it would without a bound.
func TestHashKeepsToItsMember(t *testing.T) {
	p := weighed(t, &pick.Hash{Factor: 1.25}, 1, 1, 1, 1)
	unbounded := weighed(t, &pick.Hash{}, 1, 1, 1, 1)
	for key := range uint64(200) {
		var l core.Lease
		want := unbounded.pick(&core.Ask{Key: key})
		if !p.Begin(0, &core.Ask{Key: key}, &l) || l.Choice().Slot != want {
			t.Fatalf("slot of key %d: got %d, want %d", key, l.Choice().Slot, want)
		}
		l.Settle(0, core.Sample{Outcome: core.Success})
	}
}

// Pools that nobody asked to do so keep no tally.
func TestTallyOnlyWhereAsked(t *testing.T) {
	for _, c := range []struct {
		picker core.Picker
		want   int
	}{{&pick.Hash{}, 0}, {&pick.RoundRobin{}, 0}, {&pick.Hash{Factor: 2}, 1}} {
		p := newPool(t, c.picker, ready(2)...)
		var l core.Lease
		if !p.Begin(0, &core.Ask{}, &l) {
			t.Fatal("begin: got no lease")
		}
		if got := p.View().Pool.Pending(); got != c.want {
			t.Errorf("%T: got a tally of %d, want %d", c.picker, got, c.want)
		}
	}
}
