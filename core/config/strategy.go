package config

import (
	"slices"
	"time"
)

// Strategies are the names that [Strategy] knows.
var Strategies = []string{"round-robin", "random", "least-requests", "p2c-least-requests", "p2c-ewma"}

// DefaultStrategy is the strategy of a pool that names none.
const DefaultStrategy = "p2c-ewma"

const (
	// defaultDecay is what Finagle, Linkerd and Envoy's peak_ewma use: long
	// enough to average over noise, short enough to forgive within half a
	// minute.
	defaultDecay = 10 * time.Second

	// defaultChoices is the two of "power of two choices": the second choice
	// gains exponentially over none, each further one only a constant factor
	// (Mitzenmacher), while herding on the best grows.
	defaultChoices = 2
	maxChoices     = 8
)

// Strategy is how an endpoint is chosen. In YAML it is a name, or a mapping when
// it has settings. A setting that the strategy does not have is zero.
type Strategy struct {
	// Name is one of [Strategies]. Default p2c-ewma.
	Name string `yaml:"name,scalar" enum:"round-robin,random,least-requests,p2c-least-requests,p2c-ewma" doc:"name of the strategy"`

	// Decay is the time after which a latency observed has lost all but 1/e of
	// its weight; 1ms to 24h. Default 10s. Only for strategies that estimate
	// latency (p2c-ewma).
	Decay time.Duration `yaml:"decay,omitempty" doc:"time after which an observed latency keeps 1/e of its weight; only for strategies that estimate latency"`

	// Choices is the number of distinct endpoints that are drawn and compared, 2
	// to 8. Default 2. Only for strategies that draw (p2c-*).
	Choices int `yaml:"choices,omitempty" doc:"endpoints drawn and compared, 2 to 8; only for p2c-*"`
}

// NewStrategy returns the strategy of that name with the defaults of the
// settings it has. The name is not checked.
func NewStrategy(name string) Strategy {
	s := Strategy{Name: name}
	if s.Estimates() {
		s.Decay = defaultDecay
	}
	if s.Draws() {
		s.Choices = defaultChoices
	}
	return s
}

// Estimates tells whether the strategy estimates latency, and so has a Decay.
func (s Strategy) Estimates() bool {
	return s.Name == "p2c-ewma"
}

// Draws tells whether the strategy draws some endpoints and compares them, and so
// has Choices.
func (s Strategy) Draws() bool {
	return slices.Contains([]string{"p2c-least-requests", "p2c-ewma"}, s.Name)
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
	if !has("choices") {
		s.Choices = d.Choices
	}
}
