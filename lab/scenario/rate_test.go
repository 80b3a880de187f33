package scenario

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evenkeel/evenkeel/core"
)

// varying draws a scenario whose rate changes in all the ways that there are.
func varying(t *rapid.T) *Scenario {
	s := Default()
	s.Duration = time.Duration(rapid.Int64Range(1, int64(10*time.Second)).Draw(t, "duration"))
	s.Arrivals = Arrivals{Law: rapid.SampledFrom([]string{Poisson, Constant, MMPP}).Draw(t, "law")}
	a := &s.Arrivals
	if rapid.Bool().Draw(t, "phases") {
		for i := range rapid.IntRange(1, 4).Draw(t, "number") {
			p := Phase{For: time.Duration(rapid.Int64Range(1, int64(4*time.Second)).Draw(t, "for"))}
			x := rapid.SampledFrom([]float64{0, 0.01, 0.05, 0.3}).Draw(t, "height")
			if rapid.Bool().Draw(t, "as load") {
				p.Load = new(x)
			} else {
				p.Rate = new(1000 * x)
			}
			p.Ramp = i > 0 && rapid.Bool().Draw(t, "ramp")
			a.Phases = append(a.Phases, p)
		}
	} else {
		a.Rate = rapid.Float64Range(0.1, 500).Draw(t, "rate")
	}
	if rapid.Bool().Draw(t, "wave") {
		a.Wave = Wave{rapid.Float64Range(0, 1).Draw(t, "amplitude"), time.Duration(rapid.Int64Range(int64(100*time.Millisecond), int64(20*time.Second)).Draw(t, "period"))}
	}
	if a.Law == MMPP {
		a.Burst = Burst{rapid.Float64Range(1, 20).Draw(t, "factor"),
			time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Second)).Draw(t, "on")),
			time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Second)).Draw(t, "off"))}
	}
	return &s
}

// phaseAt is the rate of the phases at an instant by definition, a ramp as it is in the
// middle of its step. An instant very near to the end of a step may belong to the next.
func phaseAt(s *Scenario, at float64) float64 {
	if len(s.Arrivals.Phases) == 0 {
		return s.Arrivals.Rate
	}
	begin, before := 0.0, 0.0
	for _, p := range s.Arrivals.Phases {
		rate := 0.0
		if p.Rate != nil {
			rate = *p.Rate
		} else {
			rate = *p.Load * 4000 // ten servers with four slots at 10 ms
		}
		if part := (at - begin) / float64(p.For); part < 1 {
			if p.Ramp {
				return before + (rate-before)*(math.Floor(part*100)+0.5)/100
			}
			return rate
		}
		begin, before = begin+float64(p.For), rate
	}
	return before
}

// Invariants of the pieces: they ascend and do not overlap, lie within the trial, and in
// each somebody arrives; where there is none nobody does; and in its middle the rate of a
// piece is that of the phases, times the wave as it is in the middle of its step, times one
// of two factors of bursts that are Factor apart.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := varying(t)
		a := s.Arrivals
		pieces := s.pieces(NewChance(rapid.Uint64().Draw(t, "seed")))
		last := 0.0
		share := float64(a.Burst.On) / float64(max(a.Burst.On+a.Burst.Off, 1))
		for _, p := range append(pieces, piece{float64(s.Duration), float64(s.Duration), 1}) {
			if p.from < last || p.until < p.from || p.until == p.from && p.from < float64(s.Duration) || p.until > float64(s.Duration) || !(p.rate > 0) {
				t.Fatalf("piece %+v after %v of a trial of %d ns", p, last, s.Duration)
			}
			if p.from-last > 1 {
				if rate := phaseAt(s, (p.from+last)/2); rate != 0 {
					t.Fatalf("no piece from %v to %v, where the rate is %v", last, p.from, rate)
				}
			}
			last = p.until
			if p.until-p.from < 1 {
				continue // less than a nanosecond: a matter of rounding
			}
			middle := (p.from + p.until) / 2
			want := phaseAt(s, middle)
			if a.Wave.Amplitude > 0 {
				step := math.Floor(middle / float64(a.Wave.Period) * 100)
				want *= 1 + a.Wave.Amplitude*math.Sin(2*math.Pi*(step+0.5)/100)
			}
			between := want / (1 - share + share*a.Burst.Factor)
			near := func(x float64) bool { return math.Abs(p.rate-x) <= 1e-9*x }
			if a.Law != MMPP && !near(want) || a.Law == MMPP && !near(between) && !near(a.Burst.Factor*between) {
				t.Fatalf("piece %+v: want the rate %v, or around bursts %v and %v", p, want, between, a.Burst.Factor*between)
			}
		}
	})
}

// Steps that end where pieces end leave no piece without length.
func TestCut(t *testing.T) {
	factors := func(yield func(until, factor float64) bool) {
		for _, step := range [][2]float64{{5, 2}, {10, 3}, {10, 9}, {20, 1}, {22, 4}, {99, 5}} {
			if !yield(step[0], step[1]) {
				return
			}
		}
		t.Error("it does not stop")
	}
	got := cut([]piece{{0, 10, 1}, {10, 20, 100}, {20, 30, 10}}, factors)
	want := []piece{{0, 5, 2}, {5, 10, 3}, {10, 20, 100}, {20, 22, 40}, {22, 30, 50}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever is rounded, the first request after a busy phase does not come before its end,
// however rare requests are then: m of them in m·k nanoseconds, one each k.
func TestConstantAfterBusy(t *testing.T) {
	for k := 3.0; k < 3000; k++ {
		const m = 50
		s := Default()
		s.Duration = time.Hour
		busy, rare := 1e9/k, 1e-9
		s.Arrivals = Arrivals{Law: Constant, Phases: []Phase{{For: time.Duration(m * k), Rate: &busy}, {For: 1, Rate: &rare}}}
		stream := s.Stream(NewChance(1))
		for n := range m + 1 {
			at, ok := stream.Next()
			if want := core.Instant(float64(n) * k); ok && at < want-1 || n < m && !ok {
				t.Fatalf("each %v ns: request %d at %d (%t), want %d", k, n, at, ok, want)
			}
		}
	}
}

// integral is that of the rate from 0 to an instant.
func integral(pieces []piece, at float64) float64 {
	sum := 0.0
	for _, p := range pieces {
		sum += p.rate * max(0, min(at, p.until)-p.from) / 1e9
	}
	return sum
}

// Invariant: the integral of the rate up to the arrival number n is the sum of n+1
// exponential numbers drawn at their places, or n where the law is constant, whatever the
// rate does in between; and no arrival of the trial is left out. An instant is rounded
// down to a nanosecond, in which the integral grows by the rate.
func TestTimeChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := varying(t)
		c := NewChance(rapid.Uint64().Draw(t, "seed"))
		pieces := s.pieces(c)
		key := c.key.At(streamArrivals)
		stream := s.Stream(c)
		sum := 0.0
		for n := uint64(0); ; n++ {
			k := key.At(n)
			sum -= math.Log(k.Float64())
			want := sum
			if s.Arrivals.Law == Constant {
				want = float64(n)
			}
			within := 1e-6 + 1e-9*want // a rate of 10,000 in half a nanosecond is 5e-6 of a request
			at, ok := stream.Next()
			if !ok {
				if all := integral(pieces, float64(s.Duration)); all > want+within {
					t.Fatalf("it ends before request %d, at %v, of %v", n, want, all)
				}
				if _, again := stream.Next(); again {
					t.Fatal("it goes on after its end")
				}
				return
			}
			if got, later := integral(pieces, float64(at)), integral(pieces, float64(at)+1); want < got-within || want > later+within {
				t.Fatalf("request %d at %d: the integral is %v, want %v", n, at, got, want)
			}
		}
	})
}

// The first draws of a Poisson process of constant rate are what they have always been:
// exponential gaps.
func TestConstantRate(t *testing.T) {
	s := Default()
	s.Arrivals = Arrivals{Law: Poisson, Rate: 700}
	s.Duration = time.Minute
	c := NewChance(5)
	key := c.key.At(streamArrivals)
	at := 0.0
	n := uint64(0)
	for got := range s.Schedule(c) {
		k := key.At(n)
		at -= 1e9 / 700 * math.Log(k.Float64())
		if got != core.Instant(at) {
			t.Fatalf("request %d: got %d, want %d", n, got, core.Instant(at))
		}
		n++
	}
	if n < 40_000 {
		t.Errorf("only %d requests, want 42,000 or so", n)
	}
}

// The chain of an MMPP: over a time T of independent cycles of exponential sojourns the
// standard deviation of the share of the time in bursts is √(2·on²·off²/((on+off)³·T)), and
// over the seeds that of the share that begins in a burst is √(p(1-p)/n). Five of those
// leave room. A longer trial begins like a shorter one.
func TestBursts(t *testing.T) {
	const on, off, factor = 200 * time.Millisecond, 1800 * time.Millisecond, 5.0
	s := Default()
	s.Duration = time.Hour
	s.Arrivals = Arrivals{Law: MMPP, Rate: 100, Burst: Burst{Factor: factor, On: on, Off: off}}
	if got := s.Rate(); got != 100 {
		t.Errorf("mean rate: got %v, want 100", got)
	}
	const p = 0.1
	between := 100 / (1 - p + p*factor)
	pieces := s.pieces(NewChance(1))
	bursts, sojourns := 0.0, 0
	for i, x := range pieces {
		if i > 0 && x.rate == pieces[i-1].rate {
			t.Fatalf("piece %d has the rate of the one before it, %v", i, x.rate)
		}
		if math.Abs(x.rate-factor*between) < 1e-9 {
			bursts += (x.until - x.from) / 1e9
			sojourns++
		} else if math.Abs(x.rate-between) > 1e-9 {
			t.Fatalf("rate %v, want %v or %v", x.rate, between, factor*between)
		}
	}
	sd := math.Sqrt(2 * 0.2 * 0.2 * 1.8 * 1.8 / (2 * 2 * 2 * 3600))
	if got := bursts / 3600; math.Abs(got-p) > 5*sd {
		t.Errorf("share of the time in bursts: got %v, want %v ± %v", got, p, 5*sd)
	}
	if got, within := bursts/float64(sojourns), 5*0.2/math.Sqrt(float64(sojourns)); math.Abs(got-0.2) > within {
		t.Errorf("a burst lasts %v s in the mean, want 0.2 ± %v", got, within)
	}
	const seeds = 10_000
	s.Duration = time.Millisecond
	begin := 0.0
	for seed := range uint64(seeds) {
		if first := s.pieces(NewChance(seed))[0]; first.rate > 100 {
			begin += 1.0 / seeds
		}
	}
	if within := 5 * math.Sqrt(p*(1-p)/seeds); math.Abs(begin-p) > within {
		t.Errorf("share of the seeds that begin in a burst: got %v, want %v ± %v", begin, p, within)
	}
}

// Clients think for exponential times of the mean that is set, each at its place.
func TestThink(t *testing.T) {
	c := NewChance(1)
	const n = 100_000
	think := Think{Mean: time.Second}
	first, second := 0.0, 0.0
	for i := range uint64(n) {
		x := think.Draw(c.Think(i%100, 1+i/100)).Seconds()
		first += x / n
		second += x * x / n
	}
	if within := 5 / math.Sqrt(n); math.Abs(first-1) > within { // of an exponential law, variance 1
		t.Errorf("mean: got %v, want 1 ± %v", first, within)
	}
	if within := 5 * math.Sqrt(20.0/n); math.Abs(second-2) > within { // and of its squares 24-4
		t.Errorf("mean square: got %v, want 2 ± %v", second, within)
	}
	if got := (Think{Law: "constant", Mean: time.Second}).Draw(c.Think(1, 1)); got != time.Second {
		t.Errorf("constant: got %v, want 1s", got)
	}
	if got := (Think{}).Draw(c.Think(1, 1)); got != 0 {
		t.Errorf("not at all: got %v, want 0", got)
	}
	seen := map[core.Key]bool{}
	for client := range uint64(50) {
		for turn := range uint64(50) {
			seen[c.Think(client, turn)] = true
		}
	}
	if len(seen) != 2500 {
		t.Errorf("%d keys for 2500 places", len(seen))
	}
}

// The clients of a closed loop begin evenly over a round: n even numbers on (0, 1) have
// the mean 1/2 with the standard deviation √(1/12n).
func TestFirst(t *testing.T) {
	s := Default() // service times of 10 ms
	s.Arrivals = Arrivals{Law: Closed, Clients: 10_000, Think: Think{Mean: 90 * time.Millisecond}}
	c := NewChance(1)
	mean, n := 0.0, 10_000
	quarters := [4]int{}
	for client := range uint64(n) {
		at := s.First(c, client)
		if at < 0 || at >= core.Instant(100*time.Millisecond) {
			t.Fatalf("client %d begins at %d, want within 100 ms", client, at)
		}
		mean += float64(at) / 1e8 / float64(n)
		quarters[at/core.Instant(25*time.Millisecond)]++
	}
	if within := 5 / math.Sqrt(12*float64(n)); math.Abs(mean-0.5) > within {
		t.Errorf("mean: got %v of a round, want 0.5 ± %v", mean, within)
	}
	for i, got := range quarters {
		if within := 5 * math.Sqrt(float64(n)*3/16); math.Abs(float64(got)-float64(n)/4) > within {
			t.Errorf("quarter %d: got %d clients, want %d ± %.0f", i, got, n/4, within)
		}
	}
	stream := s.Stream(c)
	if at, ok := stream.Next(); ok {
		t.Errorf("a closed loop has a plan: a request at %d", at)
	}
	if s.Rate() != 0 || s.Offered() != 0 || s.MaxOffered() != 0 {
		t.Errorf("rate %v, offered %v, at most %v: want 0, not known", s.Rate(), s.Offered(), s.MaxOffered())
	}
}
