package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Network is what lies between proxies and servers. Delays are round trips: half on the
// way there, half on the way back. Only in the simulator.
type Network struct {
	Delay     time.Duration `yaml:"delay,omitempty" doc:"Round trip between any proxy and any server."`
	Zones     int           `yaml:"zones,omitempty" doc:"Proxies and servers are dealt into so many zones in turn: number i is in zone 1 + i mod zones."`
	Between   time.Duration `yaml:"between,omitempty" doc:"What a round trip from one zone to another takes besides."`
	Links     []Link        `yaml:"links,omitempty" doc:"Pairs of proxies and servers that are further apart."`
	ProbeLoss float64       `yaml:"probe_loss,omitempty" doc:"Share of the health checks that get lost."`
}

// Link is what a round trip between some proxies and some servers takes besides.
type Link struct {
	Proxies []int         `yaml:"proxies,omitempty" doc:"Numbers from 0; left out: all."`
	Servers []int         `yaml:"servers,omitempty" doc:"Numbers from 0; left out: all."`
	Delay   time.Duration `yaml:"delay,required" doc:"Round trip, besides."`
}

func (n *Network) validate(s *Scenario, report strict.Report) {
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"delay", n.Delay}, {"between", n.Between}} {
		if d.d < 0 || d.d > time.Hour {
			report(d.name, "%v: expected 0 to 1h", d.d)
		}
	}
	if n.Zones < 0 || n.Zones > 100 {
		report("zones", "%d: expected 0 to 100", n.Zones)
	}
	if n.Between > 0 && n.Zones < 2 {
		report("between", "%v: there are no two zones (set network.zones)", n.Between)
	}
	shareOf(report, "probe_loss", n.ProbeLoss)
	for i, l := range n.Links {
		at := report.At(fmt.Sprintf("links[%d]", i))
		numbered(at, "proxy", "proxies", l.Proxies, s.Proxies)
		numbered(at, "server", "servers", l.Servers, s.Servers.Count)
		if l.Delay <= 0 || l.Delay > time.Hour {
			at("delay", "%v: expected above 0, at most 1h", l.Delay)
		}
	}
}

// Zone is the zone of a proxy or a server; 0 without zones.
func (n *Network) Zone(number int) int {
	if n.Zones == 0 {
		return 0
	}
	return 1 + number%n.Zones
}

// RoundTrip is the time that it takes from a proxy to a server and back.
func (n *Network) RoundTrip(proxy, server int) time.Duration {
	d := n.Delay
	if n.Zone(proxy) != n.Zone(server) {
		d += n.Between
	}
	for i := range n.Links {
		l := &n.Links[i]
		if among(l.Proxies, proxy) && among(l.Servers, server) {
			d += l.Delay
		}
	}
	return d
}

// Nil tells that there is no distance at all.
func (n *Network) Nil() bool { return n.Delay == 0 && n.Between == 0 && len(n.Links) == 0 }

// among tells whether a number is in a list that means all when it is empty.
func among(list []int, number int) bool { return len(list) == 0 || slices.Contains(list, number) }
