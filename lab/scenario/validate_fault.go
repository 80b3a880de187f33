package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

func (f *Fault) validate(s *Scenario, report strict.Report) {
	numbered(report, "server", "servers", f.Servers, s.Servers.Count)
	numbered(report, "proxy", "proxies", f.Proxies, s.Proxies)
	if len(f.Proxies) > 0 && f.Kind != Restart {
		report("proxies", "a fault of kind %s befalls servers, not proxies", f.Kind)
	}
	if (len(f.Servers) > 0 || f.Zone != 0) && f.Kind == Restart {
		report("servers", "a fault of kind restart befalls proxies, not servers")
	}
	if f.Zone != 0 && len(f.Servers) > 0 {
		report("zone", "both zone and servers are given: expected one of them")
	}
	if f.Zone < 0 || f.Zone > s.Network.Zones {
		report("zone", "zone %d does not exist: expected 1 to network.zones, %d", f.Zone, s.Network.Zones)
	}
	if f.From < 0 {
		report("from", "%v: expected at least 0", f.From)
	}
	if f.To != 0 && f.Kind == Restart {
		report("to", "%v: a restart has no end", f.To)
	} else if f.To != 0 && f.To <= f.From {
		report("to", "%v: expected after from, %v", f.To, f.From)
	}
	if f.Batch < 0 || f.Stagger < 0 {
		report("stagger", "batch %d, stagger %v: expected at least 0", f.Batch, f.Stagger)
	}
	if f.Batch > 0 && f.Stagger == 0 {
		report("batch", "batches make a difference only with stagger")
	}
	if !slices.Contains(FaultKinds, f.Kind) {
		report("kind", "%s", strict.Unknown("fault", f.Kind, FaultKinds))
		return
	}
	f.validateSettings(report)
}

// least is the shortest time between two changes of a fault: a timeline has a place for
// each.
const least = time.Millisecond

// validateSettings checks each setting: that the kind has it, and that it can be.
func (f *Fault) validateSettings(report strict.Report) {
	within := func(least, x float64) bool { return x >= least && x <= 1e6 }
	part := func(x float64) bool { return x > 0 && x < 1 }
	const (
		steady = "crowding error hang refused reset drain remove" // they may come and go
		some   = "error hang reset"                               // they may meet a share of the requests
	)
	pulses := f.Every != 0
	sloped := f.Shape == "ramp" || f.Shape == "decay"
	for _, setting := range []struct {
		name  string
		value any
		given bool
		of    string // the kinds that have it
		fits  bool
		want  string
	}{
		{"factor", f.Factor, f.Factor != 0, "slow flip cold-cache", within(1e-6, f.Factor), "0.000001 to 1000000: how many times as long work takes"},
		{"shape", f.Shape, f.Shape != "", "slow", f.Shape == "" || slices.Contains(Shapes, f.Shape), "step, ramp or decay"},
		{"slope", f.Slope, f.Slope != 0, "crowding", f.Slope > 0 && within(0, f.Slope), "above 0, at most 1000000: how much longer work takes for each other request"},
		{"every", f.Every, f.Every != 0, "slow flip pause " + steady,
			f.Every >= least || f.Every == 0 && f.Kind != Flip, "at least " + least.String()},
		{"for", f.For, f.For != 0, "slow pause " + steady,
			!pulses && f.For == 0 || pulses && f.For >= least && f.For < f.Every, f.wantFor(least)},
		{"correlated", f.Correlated, f.Correlated, "slow pause " + steady, pulses || !f.Correlated, "to stand beside every"},
		{"share", f.Share, f.Share != 0, "flip antagonist cold-cache " + some,
			f.fitsShare(part), f.wantShare()},
		{"on", f.On, f.On != 0, "antagonist", f.On >= least, "at least " + least.String()},
		{"off", f.Off, f.Off != 0, "antagonist", f.Off >= least, "at least " + least.String()},
		{"code", f.Code, f.Code != 0, "error", f.Code >= 500 && f.Code <= 599 || f.Code == 429, "500 to 599, or 429"},
		{"latency", f.Latency, f.Latency != 0, "error reset", f.Latency >= 0, "at least 0"},
	} {
		has := slices.Contains(strings.Fields(setting.of), f.Kind)
		switch {
		case !has && setting.given:
			report(setting.name, "a fault of kind %s has no %s", f.Kind, setting.name)
		case has && !setting.fits:
			report(setting.name, "%v: expected %s", setting.value, setting.want)
		}
	}
	if f.Kind == Slow && sloped && f.Every != 0 {
		report("every", "a %s does not come and go", f.Shape)
	}
}

// wantFor is what is expected of For: who wants a fault once is told how.
func (f *Fault) wantFor(least time.Duration) string {
	if f.Every == 0 {
		return "to stand beside every; a fault that comes once has from and to"
	}
	return "at least " + least.String() + " and less than every"
}

// wantShare is what fitsShare expects.
func (f *Fault) wantShare() string {
	if f.Kind == Antagonist {
		return "above 0 and below 1"
	}
	return "above 0, at most 1"
}

// fitsShare tells whether the share can be: all is a share, too, but not for a neighbour,
// who would stop the server.
func (f *Fault) fitsShare(part func(float64) bool) bool {
	switch f.Kind {
	case Antagonist:
		return part(f.Share)
	case Error, Hang, Reset:
		return f.Share == 0 || f.Share == 1 || part(f.Share)
	}
	return f.Share == 1 || part(f.Share)
}

// numbered reports numbers in a list that do not exist, or stand twice.
func numbered(report strict.Report, what, list string, numbers []int, count int) {
	for i, number := range numbers {
		path := fmt.Sprintf("%s[%d]", list, i)
		switch {
		case count < 1: // reported elsewhere
		case number < 0 || number >= count:
			report(path, "%s %d does not exist: expected 0 to %d", what, number, count-1)
		case slices.Contains(numbers[:i], number):
			report(path, "%s %d stands twice", what, number)
		}
	}
}

// oneOf reports a word that is not one of those expected.
func oneOf(report strict.Report, path, word string, valid ...string) {
	if !slices.Contains(valid, word) {
		report(path, "%s", strict.Unknown(path, word, valid))
	}
}

// shareOf reports a share that is not one.
func shareOf(report strict.Report, path string, share float64) {
	if !(share >= 0 && share <= 1) {
		report(path, "%v: expected 0 to 1", share)
	}
}
