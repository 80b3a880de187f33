package scenario

import "github.com/evenkeel/evenkeel/core"

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
	streamSpeed
	streamClass
	streamLuck
	streamBackoff
	streamProbe
	streamReport
	streamBursts
	streamThink
)

// Chance is where everything random in a trial comes from.
type Chance struct{ key core.Key }

// NewChance returns the chance of a trial.
func NewChance(seed uint64) Chance { return Chance{core.NewKey(seed)} }

// Pick is the source of a proxy's picks, the only stream that runs.
func (c Chance) Pick(proxy int) *core.Key {
	k := c.key.At(streamPick).At(uint64(proxy))
	return &k
}

// Proxy is the key of the choice of the proxy for a client's try at a request.
func (c Chance) Proxy(request, try uint64) core.Key {
	return c.key.At(streamProxy).At(request).At(try)
}

// Luck is where it is drawn whether a trouble that meets only some requests meets this one
// at this server, at this try of the client's. (A proxy tries a server once.)
func (c Chance) Luck(request, try uint64, server int) core.Key {
	return c.key.At(streamLuck).At(request).At(try).At(uint64(server))
}

// Backoff is the key of a client's wait before a further try.
func (c Chance) Backoff(request, try uint64) core.Key {
	return c.key.At(streamBackoff).At(request).At(try)
}

// Probe is the key of the fate of a proxy's probe, its so many-th.
func (c Chance) Probe(proxy int, probe uint64) core.Key {
	return c.key.At(streamProbe).At(uint64(proxy)).At(probe)
}

// Report is the key of the fate of the report that comes with an answer: of a request, at
// a try, from a server.
func (c Chance) Report(request, try uint64, server int) core.Key {
	return c.key.At(streamReport).At(request).At(try).At(uint64(server))
}

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
