package proxy

import (
	"io"
	"time"
)

// patient is an answer's body whose endpoint may be silent for so long and no longer. The
// time that the client takes between two readings is not the endpoint's.
type patient struct {
	io.ReadCloser
	idle  time.Duration
	timer *time.Timer
}

// newPatient calls silent when a reading takes longer than idle.
func newPatient(body io.ReadCloser, idle time.Duration, silent func()) *patient {
	timer := time.AfterFunc(time.Hour, silent)
	timer.Stop()
	return &patient{body, idle, timer}
}

func (p *patient) Read(b []byte) (int, error) {
	p.timer.Reset(p.idle)
	defer p.timer.Stop()
	return p.ReadCloser.Read(b)
}
