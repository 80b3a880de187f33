package proxy

import (
	"net/http"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/orca"
)

// report takes an endpoint's report of its load out of the head of an answer: the client
// gets it only where the pool keeps it. What is not well formed, or said twice, is no
// report. Trailers are not looked at.
func (p *Pool) report(h http.Header) core.LoadReport {
	values := h[orca.Header]
	if values == nil {
		return core.LoadReport{}
	}
	if !p.KeepReports {
		delete(h, orca.Header)
	}
	if p.Reports == nil || len(values) != 1 {
		return core.LoadReport{}
	}
	load, _ := p.Reports.Parse(values[0])
	return load
}
