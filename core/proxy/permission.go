package proxy

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// permission is what a client waits for before it sends its body (Expect: 100-continue).
// The endpoint gives it, with a 100 that is passed on; so its body must not be read before
// that, since net/http gives permission by itself when somebody reads. It is read, too,
// when the endpoint says nothing for a while: not every one knows how to. An endpoint that
// has answered instead has refused; net/http would send it the body then, to keep its
// connection.
type permission struct {
	asked    time.Time
	once     sync.Once
	granted  chan struct{} // closed when it is
	answered chan struct{} // closed when the endpoint has answered without
	over     chan struct{} // closed when the request has ended
}

// continueWithin is how long an endpoint may say nothing to a client that asks.
const continueWithin = time.Second

// newPermission returns what the client waits for; nil when it does not.
func newPermission(r *http.Request) *permission {
	if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") || !r.ProtoAtLeast(1, 1) {
		return nil
	}
	return &permission{asked: time.Now(), granted: make(chan struct{}), answered: make(chan struct{}), over: make(chan struct{})}
}

func (p *permission) grant() {
	if p != nil {
		p.once.Do(func() { close(p.granted) })
	}
}

// refuse is for when the endpoint has answered; without effect when it has been granted.
func (p *permission) refuse() { p.once.Do(func() { close(p.answered) }) }

// wait returns whether the body may be read.
func (p *permission) wait() bool {
	timer := time.NewTimer(continueWithin - time.Since(p.asked))
	defer timer.Stop()
	select {
	case <-p.granted:
		return true
	case <-p.answered:
		<-p.over // the connection that waits for the body is the one that the answer is read from
		return false
	case <-p.over:
		return false
	case <-timer.C:
		p.grant()
		return true
	}
}
