package stat

import "math"

// Agreement is how well the simulator foretells a live result: the same trials, of the same
// size and with the same seeds, simulated beside those that were played over real HTTP.
type Agreement struct {
	// Score is from 0 to 1: the geometric mean of the subjects' scores.
	Score    float64     `json:"score"`
	Subjects []Foretold  `json:"subjects"`
	Ratios   []SideRatio `json:"ratios"`
}

// Foretold is one subject, by medians over its trials. A subject that cannot be simulated
// (another proxy) is not there.
type Foretold struct {
	Subject string `json:"subject"`
	// Score is exp(-d), d the mean of |ln(live / simulated)| over the median, the 90th and
	// the 99th percentile of the response time, as far as both carry them: 1 is equal, and
	// at 0.9 a percentile is 11 % off on average.
	Score     float64 `json:"score"`
	Live      Latency `json:"live_seconds"`
	Simulated Latency `json:"simulated_seconds"`
	// Errors is by how much more failed live, as a share of the requests; Moved the share
	// of the traffic that went to other endpoints (half the sum of the differences).
	Errors float64 `json:"errors"`
	Moved  float64 `json:"moved"`
}

// SideRatio is a comparison of a live result, and what it is between the simulated trials.
type SideRatio struct {
	Baseline  string `json:"baseline"`
	Subject   string `json:"subject"`
	Live      Effect `json:"live"`
	Simulated Effect `json:"simulated"`
}

// agreement compares the subjects that were simulated, too; nil where none was.
func agreement(subjects []Subject) *Agreement {
	a := Agreement{Subjects: []Foretold{}, Ratios: []SideRatio{}}
	var sum float64
	n := 0
	for i := range subjects {
		s := &subjects[i]
		if s.Median == nil || s.Simulated == nil {
			continue
		}
		f := Foretold{
			Subject: s.Name, Live: s.Median.Latency, Simulated: s.Simulated.Latency,
			Errors: s.Median.ErrorRatio - s.Simulated.ErrorRatio, Moved: moved(s.Median.Shares, s.Simulated.Shares),
		}
		d, ok := apart(&f.Live, &f.Simulated)
		if !ok {
			continue
		}
		f.Score = math.Exp(-d)
		a.Subjects = append(a.Subjects, f)
		sum += d
		n++
	}
	if n == 0 {
		return nil
	}
	a.Score = math.Exp(-sum / float64(n))
	return &a
}

// apart is the mean distance of the percentiles, as a logarithm; false where there are none.
func apart(live, simulated *Latency) (float64, bool) {
	var sum float64
	n := 0
	for _, p := range [][2]*float64{{live.P50, simulated.P50}, {live.P90, simulated.P90}, {live.P99, simulated.P99}} {
		if p[0] != nil && p[1] != nil && *p[0] > 0 && *p[1] > 0 {
			sum += math.Abs(math.Log(*p[0] / *p[1]))
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// moved is the total variation distance of two divisions of the traffic.
func moved(a, b []Share) float64 {
	of := make(map[string]float64)
	for _, s := range a {
		of[s.Endpoint] += s.Share
	}
	for _, s := range b {
		of[s.Endpoint] -= s.Share
	}
	var sum float64
	for _, s := range a { // in this order, so that the sum is the same each time
		sum += math.Abs(of[s.Endpoint])
		delete(of, s.Endpoint)
	}
	for _, s := range b {
		sum += math.Abs(of[s.Endpoint])
		delete(of, s.Endpoint)
	}
	return sum / 2
}

// simulated is the subject with its simulated trials in place of those that were played.
func (s *Subject) simulated() Subject {
	of := Subject{Name: s.Name}
	for _, t := range s.Trials {
		if t.Simulated != nil {
			t.Figures = *t.Simulated
			of.Trials = append(of.Trials, t)
		}
	}
	return of
}

// foretell adds what the simulator made of a comparison.
func (a *Agreement) foretell(metric Metric, baseline, subject *Subject, live Effect) {
	if a == nil {
		return
	}
	b, s := baseline.simulated(), subject.simulated()
	effect, _ := compare(metric, pairs(&b, &s))
	if effect.Blocks > 0 && live.Blocks > 0 {
		a.Ratios = append(a.Ratios, SideRatio{baseline.Name, subject.Name, live, effect})
	}
}
