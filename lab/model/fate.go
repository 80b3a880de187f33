package model

import (
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// Fate is what a fault does to a single request, as opposed to the server's speed.
type Fate uint8

const (
	Served Fate = iota // nothing: it is worked on
	Fail               // it is answered with a code, without any work
	Hang               // it is taken in and never answered
	Break              // its connection breaks, without any work
	Refuse             // its connection is refused: the server is down
	Miss               // it is worked on, and takes longer: a cache that does not know it
)

// Trouble is a fate that lies in wait for requests.
type Trouble struct {
	Fate Fate
	// Share of the requests that it meets; 0 counts as 1: all of them.
	Share float64
	// Place is where a request's luck is drawn: troubles of different places meet
	// requests independently of each other.
	Place uint64

	Code    int           // Fail: the status
	Latency time.Duration // Fail, Break: how long it takes
	Factor  float64       // Miss: how many times as long the work takes
}

// certain tells that the trouble meets every request.
func (t *Trouble) certain() bool { return t.Share == 0 || t.Share >= 1 }

// meets tells whether the trouble meets a request with this luck.
func (t *Trouble) meets(luck core.Key) bool {
	if t.certain() {
		return true
	}
	k := luck.At(t.Place)
	return k.Float64() < t.Share
}

// fate is what befalls a request with this luck: the first trouble in the list that meets
// it, and how many times as long its work takes. A miss does not shield from the others.
func fate(troubles []Trouble, luck core.Key) (*Trouble, float64) {
	factor := 1.0
	for i := range troubles {
		t := &troubles[i]
		switch {
		case !t.meets(luck):
		case t.Fate == Miss:
			factor *= t.Factor
		default:
			return t, factor
		}
	}
	return nil, factor
}
