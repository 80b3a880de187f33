package config

import (
	"slices"
	"strings"
	"time"
)

// Strategies are the names that [Strategy] knows.
var Strategies = []string{
	"round-robin", "weighted-round-robin", "random", "least-requests", "p2c-least-requests", "consistent-hash", "ip-hash", "ewma", "p2c-ewma",
	"orca-weighted-round-robin", "c3", "prequal",
}

// DefaultStrategy is the strategy of a pool that names none.
const DefaultStrategy = "p2c-ewma"

const (
	// defaultDecay is less than the 10 s of Finagle, Linkerd and Envoy's peak_ewma: the
	// lab finds it better wherever there is traffic, and where there is little,
	// Guards.Samples makes up for it.
	defaultDecay = 3 * time.Second

	// defaultChoices is the two of "power of two choices": the second choice
	// gains exponentially over none, each further one only a constant factor
	// (Mitzenmacher), while herding on the best grows.
	defaultChoices = 2
	maxChoices     = 16

	// defaultLoadFactor is the lower end of what is in use (1.25 to 1.5): a quarter
	// more than an equal part is what an endpoint can commonly bear, and leaves most
	// keys where they belong.
	defaultLoadFactor = 1.25
	maxLoadFactor     = 1000
)

// What a key is taken from. The last two have a name after a colon.
const (
	KeyClient = "client"
	KeyPath   = "path"
	KeyHeader = "header"
	KeyCookie = "cookie"
)

// Strategy is how an endpoint is chosen. In YAML it is a name, or a mapping when
// it has settings. A setting that the strategy does not have is zero.
type Strategy struct {
	// Name is one of [Strategies]. Default p2c-ewma.
	Name string `yaml:"name,scalar" enum:"round-robin,weighted-round-robin,random,least-requests,p2c-least-requests,consistent-hash,ip-hash,ewma,p2c-ewma,orca-weighted-round-robin,c3,prequal" doc:"name of the strategy"`

	// Decay is the time after which a latency observed has lost all but 1/e of
	// its weight; 1ms to 24h. Default 3s. Only for strategies that estimate
	// latency (p2c-ewma).
	Decay time.Duration `yaml:"decay,omitempty" doc:"time after which an observed latency keeps 1/e of its weight; only for strategies that estimate latency"`

	// Guards keep the estimates honest. Only for strategies that estimate latency.
	Guards `yaml:",inline"`

	// Choices is the number of distinct endpoints that are drawn and compared, 2
	// to 16. Default 2. Only for strategies that draw (p2c-*).
	Choices int `yaml:"choices,omitempty" doc:"endpoints drawn and compared, 2 to 16; only for p2c-*"`

	// Key is what of a request decides which endpoint it belongs to: client (its
	// address without the port; behind trusted proxies the real client's), path
	// (without the query), header:NAME or cookie:NAME. A request without that
	// header or cookie goes by the client's address. Default client. Only for
	// consistent-hash; ip-hash goes by the client always.
	Key string `yaml:"key,omitempty" doc:"what of a request decides: client, path, header:NAME or cookie:NAME; only for consistent-hash"`

	// LoadFactor is how many times its part of the requests in progress an endpoint
	// may have before its keys go elsewhere, 1 to 1000. Default 1.25. Only for
	// consistent-hash.
	LoadFactor float64 `yaml:"load_factor,omitempty" doc:"how many times its part of the requests in progress an endpoint may have, 1 to 1000; only for consistent-hash"`

	// ByReports are for strategies that go by what endpoints report of their load.
	ByReports `yaml:",inline"`
}

// NewStrategy returns the strategy of that name with the defaults of the
// settings it has. The name is not checked.
func NewStrategy(name string) Strategy {
	s := Strategy{Name: name, ByReports: defaultByReports(name)}
	if s.Estimates() {
		s.Decay, s.Guards = defaultDecay, defaultGuards()
	}
	if s.Draws() {
		s.Choices = defaultChoices
	} else {
		s.ScanUpTo, s.MostChoices = 0, 0
	}
	if s.Bounds() {
		s.Key, s.LoadFactor = KeyClient, defaultLoadFactor
	}
	return s
}

// Estimates tells whether the strategy estimates latency, and so has a Decay.
func (s Strategy) Estimates() bool {
	return slices.Contains([]string{"ewma", "p2c-ewma"}, s.Name)
}

// Draws tells whether the strategy draws some endpoints and compares them, and so
// has Choices.
func (s Strategy) Draws() bool {
	return slices.Contains([]string{"p2c-least-requests", "p2c-ewma"}, s.Name)
}

// Reports tells whether the strategy goes by what endpoints report of their load with their
// answers.
func (s Strategy) Reports() bool {
	return s.Reported || slices.Contains([]string{"orca-weighted-round-robin", "c3"}, s.Name)
}

// Probes tells whether the strategy asks endpoints for their load.
func (s Strategy) Probes() bool { return s.Name == "prequal" }

// Hashes tells whether the strategy goes by the key of a request (core.Ask.Key), which
// its driver has then to fill in.
func (s Strategy) Hashes() bool {
	return slices.Contains([]string{"consistent-hash", "ip-hash"}, s.Name)
}

// Bounds tells whether the strategy bounds what it sends to the endpoint of a key, and
// so has a Key and a LoadFactor.
func (s Strategy) Bounds() bool { return s.Name == "consistent-hash" }

// KeyOf is what the key of a request is taken from (KeyClient, KeyPath, KeyHeader or
// KeyCookie), and the header's or the cookie's name; empty for a strategy without a key.
func (s Strategy) KeyOf() (from, name string) {
	if s.Hashes() && s.Key == "" {
		return KeyClient, ""
	}
	from, name, _ = strings.Cut(s.Key, ":")
	return from, name
}

// Defaults sets s to the default strategy.
func (s *Strategy) Defaults() { *s = NewStrategy(DefaultStrategy) }

// Derive gives the settings that the file does not mention the defaults of the
// strategy it names.
func (s *Strategy) Derive(has func(string) bool) {
	d := NewStrategy(s.Name)
	if !has("decay") {
		s.Decay = d.Decay
	}
	s.Guards.derive(d.Guards, has)
	s.ByReports.derive(d.ByReports, has)
	if !has("choices") {
		s.Choices = d.Choices
	}
	if !has("key") {
		s.Key = d.Key
	}
	if !has("load_factor") {
		s.LoadFactor = d.LoadFactor
	}
}
