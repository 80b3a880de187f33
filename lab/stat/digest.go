package stat

import "github.com/evenkeel/evenkeel/lab/record"

// Digest is what statistics and reports keep of a trial: everything but its
// requests. It is a few kilobytes where a trial has megabytes, so a driver that
// digests each trial as it ends can run a whole catalogue in little memory.
type Digest struct {
	Header   record.Header
	Summary  TrialSummary
	Curve    []CurvePoint // percentile curve of the response times that count
	Timeline Timeline
}

// NewDigest digests one trial. It fails where Trial fails.
func NewDigest(t *record.Trial) (Digest, error) {
	s, sorted, err := measure(t)
	if err != nil {
		return Digest{}, err
	}
	return Digest{
		Header:   t.Header,
		Summary:  s,
		Curve:    curveOf(sorted),
		Timeline: NewTimeline(t, BinFor(t.Header.Duration)),
	}, nil
}

// Digests digests trials, in their order.
func Digests(trials []*record.Trial) ([]Digest, error) {
	list := make([]Digest, 0, len(trials))
	for _, t := range trials {
		d, err := NewDigest(t)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}
