package scenario

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/model"
)

// The streams of chance of a trial. Each draw is keyed by its stream and its place
// there, so that no strategy changes what another stream draws.
const (
	streamArrivals uint64 = iota
	streamDemand
	streamPick
	streamProxy
	streamOrder
	streamBlock
	streamFaults
)

// Chance is where everything random in a trial comes from.
type Chance struct{ key core.Key }

// NewChance returns the chance of a trial.
func NewChance(seed uint64) Chance { return Chance{core.NewKey(seed)} }

// Demand is the key of a request's demand: the same wherever it is sent, and
// however often.
func (c Chance) Demand(request uint64) core.Key { return c.key.At(streamDemand).At(request) }

// Pick is the source of a proxy's picks, the only stream that runs.
func (c Chance) Pick(proxy int) *core.Key {
	k := c.key.At(streamPick).At(uint64(proxy))
	return &k
}

// Proxy is the key of the choice of a request's proxy.
func (c Chance) Proxy(request uint64) core.Key { return c.key.At(streamProxy).At(request) }

// Order is the key of a block's order of trials.
func (c Chance) Order() core.Key { return c.key.At(streamOrder) }

// BlockSeed is the seed of a block of the experiment with this seed: the seed itself
// for the first, so that a single trial is repeated by its seed alone.
func BlockSeed(seed uint64, block int) uint64 {
	if block == 0 {
		return seed
	}
	k := core.NewKey(seed).At(streamBlock).At(uint64(block))
	return k.Uint64() >> 12 // 52 bits: exact as a JSON number everywhere
}

// Stream draws the planned instants of a trial's requests one by one.
type Stream struct {
	key     core.Key
	gap     float64 // nanoseconds, mean
	poisson bool
	end     float64
	next    uint64
	at      float64
}

// Stream returns the stream of the trial's planned instants, at its beginning.
func (s *Scenario) Stream(c Chance) Stream {
	return Stream{
		key:     c.key.At(streamArrivals),
		gap:     min(1e9/s.Rate(), math.MaxFloat64), // finite: no gap at all is 0
		poisson: s.Arrivals.Law == "poisson",
		end:     float64(s.Duration),
	}
}

// Next returns the next planned instant; they ascend. It returns false at the end.
func (s *Stream) Next() (core.Instant, bool) {
	if s.poisson {
		k := s.key.At(s.next)
		s.at -= s.gap * math.Log(k.Float64())
	} else {
		s.at = s.gap * float64(s.next)
	}
	s.next++
	return core.Instant(s.at), s.at < s.end
}

// Schedule yields the planned instants of a trial's requests, ascending, the first
// draw at the first request.
func (s *Scenario) Schedule(c Chance) iter.Seq[core.Instant] {
	return func(yield func(core.Instant) bool) {
		stream := s.Stream(c)
		for {
			if at, ok := stream.Next(); !ok || !yield(at) {
				return
			}
		}
	}
}

// Law is the law of the servers' service times.
func (s *Scenario) Law() model.Law {
	law, err := s.Servers.Service.law()
	if err != nil {
		panic("scenario: validated, and yet: " + err.Error())
	}
	return law
}

// Server makes a server of the scenario, idle, with its timeline of faults.
func (s *Scenario) Server(index int, c Chance) *model.Server {
	var effects []model.Effect
	for i, f := range s.Faults {
		if len(f.Servers) == 0 || slices.Contains(f.Servers, index) {
			effects = append(effects, f.effects(c.key.At(streamFaults).At(uint64(i)), index, s.Duration+s.Client.Timeout)...)
		}
	}
	return model.New(s.Servers.Slots, s.Servers.Queue, model.NewTimeline(effects))
}

// ServerName is the name of a server in records and reports.
func (s *Scenario) ServerName(index int) string {
	width := len(strconv.Itoa(s.Servers.Count - 1))
	return fmt.Sprintf("server-%0*d", width, index)
}
