package scenario

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// slowness is how much longer than nominal a server's work takes at an instant: the
// inverse of its speed.
func slowness(t model.Timeline, at time.Duration) float64 { return 1 / t.At(core.Instant(at)).Speed }

func timeline(f Fault, seed uint64, server int) model.Timeline {
	return model.NewTimeline(f.effects(core.NewKey(seed), server, time.Hour))
}

const sec = time.Second

func TestSlopes(t *testing.T) {
	ramp := timeline(Fault{Kind: Slow, Factor: 11, Shape: "ramp", From: 10 * sec, To: 20 * sec}, 1, 0)
	decay := timeline(Fault{Kind: Slow, Factor: 11, Shape: "decay", From: 10 * sec, To: 20 * sec}, 1, 0)
	// A step is a tenth of a second, in which an even slope from 1 to 11 moves by 0.1.
	for _, step := range []struct {
		at          time.Duration
		ramp, decay float64
	}{
		{9 * sec, 1, 1}, {10 * sec, 1, 11}, {12500 * time.Millisecond, 3.5, 8.5},
		{15 * sec, 6, 6}, {20*sec - 1, 11, 1}, {20 * sec, 1, 1},
	} {
		if got := slowness(ramp, step.at); math.Abs(got-step.ramp) > 0.1 {
			t.Errorf("ramp at %v: %v times as long, want %v", step.at, got, step.ramp)
		}
		if got := slowness(decay, step.at); math.Abs(got-step.decay) > 0.1 {
			t.Errorf("decay at %v: %v times as long, want %v", step.at, got, step.decay)
		}
	}
}

// Of n epochs with chance p the slow ones have the mean n·p and the standard deviation
// √(n·p·(1-p)): for 10,000 and 0.3 that is 3,000 ± 46. Five of those leave room.
func TestFlips(t *testing.T) {
	f := Fault{Kind: Flip, Factor: 4, Share: 0.3, Every: 100 * time.Millisecond, To: 1000 * sec}
	one, two := timeline(f, 1, 0), timeline(f, 1, 1)
	slow, differ := 0, 0
	for epoch := range 10_000 {
		at := time.Duration(epoch) * f.Every
		got := slowness(one, at)
		if got != 1 && got != 4 || got != slowness(one, at+f.Every-1) {
			t.Fatalf("epoch %d: %v and %v times as long, want 1 or 4 throughout", epoch, got, slowness(one, at+f.Every-1))
		}
		if got == 4 {
			slow++
		}
		if got != slowness(two, at) {
			differ++
		}
	}
	if math.Abs(float64(slow)-3000) > 5*46 {
		t.Errorf("%d of 10000 epochs are slow, want 3000 ± 230", slow)
	}
	if differ == 0 {
		t.Error("two servers flip together")
	}
}

func TestPauses(t *testing.T) {
	f := Fault{Kind: Pause, Every: 10 * sec, For: 300 * time.Millisecond, From: 5 * sec}
	apart, together := [2]model.Timeline{timeline(f, 1, 0), timeline(f, 1, 1)}, [2]model.Timeline{}
	f.Correlated = true
	together[0], together[1] = timeline(f, 1, 0), timeline(f, 1, 1)
	// Work of 95 s that begins with the trial is held up by all pauses that begin before
	// it is done: ten, if the first begins within ten seconds after the fifth.
	for name, servers := range map[string][2]model.Timeline{"apart": apart, "together": together} {
		first, second := servers[0].Done(0, 95*sec), servers[1].Done(0, 95*sec)
		if held := time.Duration(first) - 95*sec; held < 9*f.For || held > 10*f.For {
			t.Errorf("%s: work was held up for %v, want nine or ten pauses of %v", name, held, f.For)
		}
		same := true
		for at := time.Duration(0); at < 20*sec; at += 50 * time.Millisecond {
			same = same && servers[0].At(core.Instant(at)) == servers[1].At(core.Instant(at))
		}
		if same != (name == "together") {
			t.Errorf("%s: two servers pause at the same times: %t (%v, %v)", name, same, first, second)
		}
	}
}

// The neighbour is there for on/(on+off) of the time. Over a time T of independent
// cycles of exponential sojourns the standard deviation of that share is
// √(2·on²·off²/((on+off)³·T)): for 2 s, 1 s and an hour 0.0091. Five of those leave room.
func TestVisits(t *testing.T) {
	f := Fault{Kind: Antagonist, Share: 0.6, On: 2 * sec, Off: sec}
	line := timeline(f, 1, 0)
	there, n := 0, 0
	for at := time.Duration(0); at < time.Hour; at += 10 * time.Millisecond {
		n++
		switch speed := line.At(core.Instant(at)).Speed; speed {
		case 0.4:
			there++
		case 1:
		default:
			t.Fatalf("at %v: speed %v, want 0.4 or 1", at, speed)
		}
	}
	if share := float64(there) / float64(n); math.Abs(share-2.0/3) > 5*0.0091 {
		t.Errorf("it is there for %v of the time, want 0.667 ± 0.046", share)
	}
}

// The same seed brings the same faults, another one others.
func TestFaultsAreKeyed(t *testing.T) {
	for _, f := range []Fault{
		{Kind: Flip, Factor: 4, Share: 0.5, Every: sec, To: 100 * sec},
		{Kind: Pause, Every: 10 * sec, For: sec},
		{Kind: Antagonist, Share: 0.6, On: sec, Off: sec, To: 100 * sec},
	} {
		same, other := true, true
		for at := time.Duration(0); at < 100*sec; at += 100 * time.Millisecond {
			x := timeline(f, 1, 3).At(core.Instant(at))
			same = same && x == timeline(f, 1, 3).At(core.Instant(at))
			other = other && x == timeline(f, 2, 3).At(core.Instant(at))
			if !other && at > 10*sec {
				break
			}
		}
		if !same || other {
			t.Errorf("%s: same with the same seed: %t, with another: %t, want true and false", f.Kind, same, other)
		}
	}
}
