package regret

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Resize returns the settings that make of a scenario the same one with another number of
// endpoints and of proxies; 0 for its own number of either.
//
//   - What befalls a share of the servers or proxies befalls the same share: of n servers
//     that become m, number i becomes those from i·m/n up to (i+1)·m/n, both rounded, so
//     that the first one of ten is the first twenty of two hundred. A list is never empty.
//     What goes on in batches goes on in batches of the same share.
//   - The load of a server stays: rates and the clients of a closed loop grow with the
//     servers.
//   - Times stay, those of faults among them: how long a fault lasts is measured in the
//     times of breakers and estimates, which know nothing of the size.
//   - So there are more requests in a trial, and fewer seeds needed. Only a steady trial,
//     one in which the same goes on from the end of the warm-up to the end of the trial, is
//     shorter or longer, to have about as many requests as before: what is measured lasts
//     as much shorter as there are more servers, but not less than the warm-up, ten seconds
//     or four rounds of whatever comes and goes, or else as long as it did.
//
// A trace has its own instants: its servers cannot be varied.
func Resize(s *scenario.Scenario, endpoints, proxies int) ([]scenario.Setting, error) {
	r := resizing{s: s, servers: part{s.Servers.Count, endpoints}, proxies: part{s.Proxies, proxies}}
	if endpoints == 0 {
		r.servers.to = s.Servers.Count
	}
	if proxies == 0 {
		r.proxies.to = s.Proxies
	}
	r.faults()
	if r.proxies.changes() {
		r.set("proxies", "%d", r.proxies.to)
	}
	if !r.servers.changes() {
		return r.settings, nil
	}
	if s.Arrivals.Law == scenario.Trace {
		return nil, fmt.Errorf("%s: a trace arrives as it does: its number of endpoints cannot be varied", s.Name)
	}
	r.set("servers.count", "%d", r.servers.to)
	r.arrivals()
	if r.steady() {
		r.set("duration", "%v", s.WarmUp+r.measured())
	}
	return r.settings, nil
}

// part is how many there are, and shall be.
type part struct{ from, to int }

func (p part) changes() bool { return p.from != p.to }

// first is where the image of a number begins.
func (p part) first(number int) int {
	return int(math.Round(float64(number) * float64(p.to) / float64(p.from)))
}

// list is the image of a list, in its order.
func (p part) list(numbers []int) []int {
	var all []int
	for _, number := range numbers {
		for i := p.first(number); i < p.first(number+1); i++ {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		all = append(all, min(p.first(numbers[0]), p.to-1))
	}
	return all
}

// batch is the image of a number at a time; 0 is 1.
func (p part) batch(n int) int { return max(1, p.first(max(1, n))) }

// resizing gathers settings.
type resizing struct {
	s                *scenario.Scenario
	servers, proxies part
	settings         []scenario.Setting
}

func (r *resizing) set(path, format string, args ...any) {
	r.settings = append(r.settings, scenario.Setting{Path: path, Value: fmt.Sprintf(format, args...)})
}

// list sets the image of a list, unless it means all.
func (r *resizing) list(path string, p part, numbers []int) {
	if len(numbers) > 0 && p.changes() {
		r.set(path, "[%s]", strings.Trim(strings.ReplaceAll(fmt.Sprint(p.list(numbers)), " ", ", "), "[]"))
	}
}

// faults sets whom the faults befall, and the links.
func (r *resizing) faults() {
	for i := range r.s.Faults {
		f := &r.s.Faults[i]
		at := fmt.Sprintf("faults[%d].", i)
		r.list(at+"servers", r.servers, f.Servers)
		r.list(at+"proxies", r.proxies, f.Proxies)
		p := r.servers
		if f.Kind == scenario.Restart {
			p = r.proxies
		}
		if f.Stagger > 0 && p.changes() {
			r.set(at+"batch", "%d", p.batch(f.Batch))
		}
	}
	for i := range r.s.Network.Links {
		at := fmt.Sprintf("network.links[%d].", i)
		r.list(at+"servers", r.servers, r.s.Network.Links[i].Servers)
		r.list(at+"proxies", r.proxies, r.s.Network.Links[i].Proxies)
	}
}

// arrivals sets what does not grow with the servers by itself.
func (r *resizing) arrivals() {
	a := &r.s.Arrivals
	growth := float64(r.servers.to) / float64(r.servers.from)
	if a.Rate > 0 {
		r.set("arrivals.rate", "%g", a.Rate*growth)
	}
	for i, p := range a.Phases {
		if p.Rate != nil {
			r.set(fmt.Sprintf("arrivals.phases[%d].rate", i), "%g", *p.Rate*growth)
		}
	}
	if a.Clients > 0 {
		r.set("arrivals.clients", "%d", max(1, r.servers.first(a.Clients)))
	}
}

// steady tells whether the same goes on from the end of the warm-up to the end.
func (r *resizing) steady() bool {
	if a := &r.s.Arrivals; len(a.Phases) > 0 || a.Wave.Amplitude > 0 || a.Law == scenario.MMPP {
		return false
	}
	for i := range r.s.Faults {
		f := &r.s.Faults[i]
		sloped := f.Shape == "ramp" || f.Shape == "decay" || f.Kind == scenario.ColdCache
		if f.From > r.s.WarmUp || f.To != 0 || f.Stagger > 0 || sloped || f.Kind == scenario.Restart {
			return false
		}
	}
	return true
}

// What a steady trial lasts at least.
const (
	leastMeasured = 10 * time.Second
	leastRounds   = 4
)

// measured is how long a steady trial is measured.
func (r *resizing) measured() time.Duration {
	own := r.s.Duration - r.s.WarmUp
	least := max(leastMeasured, r.s.WarmUp)
	for i := range r.s.Faults {
		f := &r.s.Faults[i]
		least = max(least, leastRounds*f.Every, leastRounds*(f.On+f.Off))
	}
	scaled := time.Duration(float64(own) * float64(r.servers.from) / float64(r.servers.to))
	return max(scaled.Round(time.Millisecond), min(own, least))
}
