package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
	"github.com/evenkeel/evenkeel/lab/model"
)

// Empirical is the law of service times that stand in a file.
const Empirical = "empirical"

// Service is the law of service times.
type Service struct {
	Law    string        `yaml:"law" enum:"constant,exponential,lognormal,normal,weibull,pareto,bimodal,empirical" doc:"The distribution."`
	Mean   time.Duration `yaml:"mean" doc:"Its mean; empirical: the times are scaled to it, or left as they are if there is none."`
	CV     float64       `yaml:"cv,omitempty" doc:"lognormal: coefficient of variation (standard deviation / mean); normal: that of the bell curve before it is cut off at 0."`
	Shape  float64       `yaml:"shape,omitempty" doc:"weibull: below 1 its tail is heavier than the exponential law's, above 1 lighter."`
	Alpha  float64       `yaml:"alpha,omitempty" doc:"pareto: tail index."`
	Spread float64       `yaml:"spread,omitempty" doc:"pareto: the longest time over the shortest."`
	Share  float64       `yaml:"share,omitempty" doc:"bimodal: the share of times that are long."`
	Factor float64       `yaml:"factor,omitempty" doc:"bimodal: how many times as long they are as the others."`
	File   string        `yaml:"file,omitempty" doc:"empirical: a text file, relative to the folder of this one, with a time in seconds a line; a line with # in front is a comment, and the first other line may be a heading; or vegeta's results, whose latencies they are."`

	// Times are what stands in the file, ascending: there when [Load] has read it.
	Times []time.Duration
}

// Derive implements the interface of package strict: the times of a file are as they are
// unless a mean is given.
func (v *Service) Derive(has func(string) bool) {
	if v.Law == Empirical && !has("mean") {
		v.Mean = 0
	}
}

// law is the law that the settings describe.
func (v Service) law() (model.Law, error) {
	return model.NewLaw(model.Params{
		Kind: v.Law, Mean: v.Mean, CV: v.CV, Shape: v.Shape,
		Alpha: v.Alpha, Spread: v.Spread, Share: v.Share, Factor: v.Factor, Times: v.Times,
	})
}

// mean is the mean service time; 0 where it hangs on a file that has not been read.
func (v Service) mean() time.Duration {
	if v.Mean != 0 || len(v.Times) == 0 {
		return v.Mean
	}
	return v.must().Mean()
}

// must is the law of settings that were validated.
func (v Service) must() model.Law {
	if v.Law == Empirical && v.Times == nil {
		panic(unread(v.File))
	}
	law, err := v.law()
	if err != nil {
		panic("scenario: validated, and yet: " + err.Error())
	}
	return law
}

// unread is what is said of a file whose times are needed.
func unread(file string) string {
	return fmt.Sprintf("scenario: the file %s was not read: Load reads it, Parse does not", file)
}

// validate reports what cannot be, whatever stands in the file.
func (v Service) validate(report strict.Report) {
	if !slices.Contains(model.Laws, v.Law) {
		report("law", "%s", strict.Unknown("law", v.Law, model.Laws))
		return
	}
	switch {
	case v.Law != Empirical && v.File != "":
		report("file", "law %s: it has no file; leave it out", v.Law)
	case v.Law == Empirical && v.File == "":
		report("file", "expected the file with the times")
	}
	if v.Law == Empirical {
		v.Times = []time.Duration{time.Second} // in place of those in the file
	}
	if _, err := v.law(); err != nil {
		report("", "%v", err)
	}
}
