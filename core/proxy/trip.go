package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
)

// unsent is an error that came before the endpoint has done anything: the request may be
// sent elsewhere, whatever it asks for.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// Errors of endpoints whose answers are not to be delivered.
var (
	errRefused   = errors.New("proxy: the endpoint refuses the request")
	errInterim   = errors.New("proxy: the endpoint sends interim answers without end")
	errMalformed = errors.New("proxy: the head of the answer is malformed")
)

const (
	// maxInterim is how many 1xx answers may come before the final one. Two make sense
	// (a 100 and a 103), some servers send several hints; net/http has no bound when
	// they are passed on.
	maxInterim = 16
	// maxStreams is how many streams of HTTP/2 one attempt may try when the endpoint says
	// that it has not begun with the request: the second may find a connection that is
	// not about to be closed (GOAWAY). net/http would go on, pausing longer and longer
	// where the endpoint has refused a stream, while another endpoint may be free.
	maxStreams = 2
	// maxStale is how many connections of HTTP/1 that have been spoiled one attempt may
	// meet. Each of them is closed, so that only an endpoint which spoils them all gets
	// there.
	maxStale = 10
)

// trip watches one attempt on its way through net/http.
type trip struct {
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	link    *link // of the connection in use; nil for one of HTTP/2
	turn    int   // of the link
	reused  bool  // it has served another request
	streams int
	interim int
}

// traced is a context that has the trace of a trip instead of its parent's. Joining the two,
// as httptrace.WithClientTrace does, costs a microsecond.
type traced struct {
	context.Context
	trace context.Context
}

func (t traced) Value(key any) any {
	if v := t.trace.Value(key); v != nil {
		return v
	}
	return t.Context.Value(key)
}

func newTrip(ctx context.Context) (*trip, context.Context) {
	t := &trip{}
	ctx, t.cancel = context.WithCancelCause(ctx)
	trace := &httptrace.ClientTrace{GotConn: t.got, Got1xxResponse: t.passInterim(httptrace.ContextClientTrace(ctx))}
	return t, traced{ctx, httptrace.WithClientTrace(context.Background(), trace)}
}

// got notes which connection the attempt is sent on.
func (t *trip) got(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link, _ = info.Conn.(*link)
	t.reused = info.Reused
	if t.link != nil {
		t.turn = t.link.next()
	} else if t.streams++; t.streams > 1 {
		t.cancel(errRefused) // so that nothing is sent: what is tried once more, Transport tries
	}
}

// passInterim counts interim answers on their way to whoever passes them on.
func (t *trip) passInterim(outer *httptrace.ClientTrace) func(int, textproto.MIMEHeader) error {
	return func(code int, header textproto.MIMEHeader) error {
		t.mu.Lock()
		t.interim++
		many := t.interim > maxInterim
		t.mu.Unlock()
		switch {
		case many:
			return errInterim
		case malformed(http.Header(header)):
			return errMalformed
		case outer != nil && outer.Got1xxResponse != nil:
			return outer.Got1xxResponse(code, header)
		}
		return nil
	}
}

// fault says of an error what is known of it besides.
func (t *trip) fault(err error) error {
	defer t.cancel(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.streams > 1:
		return unsent{errRefused}
	case t.link != nil && !t.link.asked(t.turn):
		return unsent{err}
	}
	return err
}

// tries is how often an attempt may be sent that has failed with err: more than once when
// nothing is wrong but the connection, which had been spoiled, or closed by the endpoint,
// before.
func (t *trip) tries(err error) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var never unsent
	switch {
	case !errors.As(err, &never):
		return 0
	case t.link != nil && t.reused:
		return maxStale
	case t.streams > 0:
		return maxStreams
	}
	return 0
}

// check reports what is wrong with the head of an answer that net/http takes for one.
func (t *trip) check(answer *http.Response) error {
	t.mu.Lock()
	link, turn := t.link, t.turn
	t.mu.Unlock()
	switch {
	case link != nil && !link.asked(turn):
		link.Close()
		return unsent{errUnasked}
	case answer.StatusCode < 100, malformed(answer.Header):
		return errMalformed
	}
	return nil
}

// hangUp sees to it that the end of the attempt's time ends a stream of HTTP/2 whose client
// has still something to send: while net/http waits for that, it does not look at the
// context, and a reader of the answer would wait with it.
func (x *exchange) hangUp(answer *http.Response) {
	if answer.ProtoMajor == 2 && x.upload != nil && !x.upload.complete.Load() {
		body := answer.Body
		context.AfterFunc(x.late, func() { body.Close() })
	}
}

// malformed reports whether a field has a space in its name (RFC 9112 §5.1), as in
// "Content-Length : 5", which net/http takes from an endpoint without understanding it.
func malformed(h http.Header) bool {
	for name := range h {
		if strings.Contains(name, " ") {
			return true
		}
	}
	return false
}
