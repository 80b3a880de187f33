package stat

import (
	"fmt"

	"github.com/evenkeel/evenkeel/lab/record"
)

// Group is an endpoint, or several that figures and pictures show as one.
type Group struct {
	Name    string // of the endpoint, or e.g. "996 other endpoints"
	Members int    // how many endpoints it has
	Faulty  bool   // a fault is on them at some time, and not on all endpoints alike
}

// Up to grouped endpoints stand for themselves. Of more, which nobody can tell apart on
// a page, the sound ones are a group; so are those with faults when they are more than
// named. A summary of a thousand endpoints stays readable that way, and a digest small.
const (
	grouped = 64
	named   = 4
)

// Groups divides the endpoints of a trial. The second result is the group of each
// endpoint, by its index. It depends on the number of endpoints and the faults alone.
func Groups(h *record.Header) (list []Group, of []int) {
	faulty, hit := faulted(h)
	of = make([]int, len(h.Endpoints))
	if len(of) <= grouped {
		for i, name := range h.Endpoints {
			list = append(list, Group{Name: name, Members: 1, Faulty: faulty[i]})
			of[i] = i
		}
		return list, of
	}
	switch {
	case hit == 0:
	case hit <= named:
		for i, name := range h.Endpoints {
			if faulty[i] {
				of[i] = len(list)
				list = append(list, Group{Name: name, Members: 1, Faulty: true})
			}
		}
	default:
		list = append(list, Group{Name: fmt.Sprintf("%d endpoints with faults", hit), Members: hit, Faulty: true})
	}
	rest := Group{Name: fmt.Sprintf("%d endpoints", len(of)), Members: len(of) - hit}
	if hit > 0 {
		rest.Name = fmt.Sprintf("%d other endpoints", rest.Members)
	}
	for i := range of {
		if !faulty[i] {
			of[i] = len(list)
		}
	}
	return append(list, rest), of
}

// faulted says of each endpoint whether a fault is on it at some time, and of how many
// that is so. When it is so of all, none stands out.
func faulted(h *record.Header) (faulty []bool, n int) {
	faulty = make([]bool, len(h.Endpoints))
	for _, f := range h.Faults {
		for _, s := range f.Servers {
			if s >= 0 && s < len(faulty) && !faulty[s] {
				faulty[s] = true
				n++
			}
		}
	}
	if n == len(faulty) {
		clear(faulty)
		n = 0
	}
	return faulty, n
}
