package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

// An answer without a body may come when its connection is the next request's already: it is
// an answer all the same, and the next request is not disturbed.
func TestAnswerWhoseConnectionWentOn(t *testing.T) {
	l := newLink(&script{})
	first, _ := newTrip(t.Context())
	second, _ := newTrip(t.Context())
	first.got(httptrace.GotConnInfo{Conn: l})
	if _, err := l.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	second.got(httptrace.GotConnInfo{Conn: l, Reused: true})

	if err := first.check(&http.Response{StatusCode: http.StatusNoContent}); err != nil {
		t.Errorf("the first one's answer: got %v, want it delivered", err)
	}
	lost := errors.New("lost")
	if err := first.fault(lost); neverSent(err) {
		t.Errorf("the first: got %v as if it had not been sent", err)
	}
	if err := second.fault(lost); !neverSent(err) {
		t.Errorf("the second: got %v as if it had been sent", err)
	}
	if _, err := l.Write([]byte("second")); err != nil {
		t.Errorf("the second one's beginning: got %v", err)
	}
	if err := second.fault(lost); neverSent(err) {
		t.Errorf("the second, once sent: got %v as if it had not been", err)
	}
}

// How often an attempt may be sent depends on what has become of its connection.
func TestTriesOfATrip(t *testing.T) {
	lost := errors.New("lost")
	fresh, used := httptrace.GotConnInfo{}, httptrace.GotConnInfo{Reused: true}
	for name, tt := range map[string]struct {
		http1              bool
		conns              []httptrace.GotConnInfo // that it was given, one after the other
		sent               bool                    // its beginning was written
		unheard, cancelled bool                    // the endpoint has not begun; nothing more is sent
		tries              int
	}{
		"no connection":                 {false, nil, false, false, false, 0},
		"a new one, spoiled":            {true, []httptrace.GotConnInfo{fresh}, false, true, false, 0},
		"a used one, spoiled":           {true, []httptrace.GotConnInfo{used}, false, true, false, maxStale},
		"a used one, then a new one":    {true, []httptrace.GotConnInfo{used, fresh}, false, true, false, 0},
		"a used one, lost":              {true, []httptrace.GotConnInfo{used}, true, false, false, 0},
		"a stream, lost":                {false, []httptrace.GotConnInfo{fresh}, false, false, false, 0},
		"a stream, refused":             {false, []httptrace.GotConnInfo{fresh, used}, false, true, true, maxStreams},
		"a stream, refused and refused": {false, []httptrace.GotConnInfo{used, used, used}, false, true, true, maxStreams},
	} {
		t.Run(name, func(t *testing.T) {
			trip, ctx := newTrip(t.Context())
			l := newLink(&script{})
			for _, c := range tt.conns {
				if tt.http1 {
					c.Conn = l
				}
				trip.got(c)
			}
			if tt.sent {
				l.Write([]byte("question"))
			}
			if got := context.Cause(ctx) == errRefused; got != tt.cancelled {
				t.Errorf("called off: got %v", got)
			}
			err := trip.fault(lost)
			if neverSent(err) != tt.unheard {
				t.Errorf("fault: got %v (%T), want unheard %v", err, err, tt.unheard)
			}
			if got := trip.tries(err); got != tt.tries {
				t.Errorf("tries: got %d, want %d", got, tt.tries)
			}
		})
	}
}

// Interim answers are passed on, but for those that nobody needs.
func TestInterimAnswersOfATrip(t *testing.T) {
	passed := 0
	outer := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
		passed++
		return nil
	}})
	for _, parent := range []context.Context{t.Context(), outer} {
		_, ctx := newTrip(parent)
		got := httptrace.ContextClientTrace(ctx).Got1xxResponse
		if err := got(103, textproto.MIMEHeader{"Link : x": {"y"}}); err != errMalformed {
			t.Errorf("malformed: got %v", err)
		}
		for i := 2; i <= maxInterim; i++ {
			if err := got(103, textproto.MIMEHeader{"Link": {"y"}}); err != nil {
				t.Errorf("number %d: got %v", i, err)
			}
		}
		if err := got(103, nil); err != errInterim {
			t.Errorf("one too many: got %v", err)
		}
	}
	if passed != maxInterim-1 {
		t.Errorf("passed on: got %d, want %d", passed, maxInterim-1)
	}
}

// An answer that nobody had asked for costs the connection; what is no answer, only itself.
func TestHeadsOfAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		asked  bool
		answer http.Response
		want   error
		closed bool
	}{
		"well":            {true, http.Response{StatusCode: 100}, nil, false},
		"not asked for":   {false, http.Response{StatusCode: 200}, errUnasked, true},
		"no status":       {true, http.Response{StatusCode: 99}, errMalformed, false},
		"spaces in names": {true, http.Response{StatusCode: 200, Header: http.Header{"A b": {"c"}}}, errMalformed, false},
		"spaces behind":   {true, http.Response{StatusCode: 200, Header: http.Header{"A ": {"c"}}}, errMalformed, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLink(&script{})
			trip, _ := newTrip(t.Context())
			trip.got(httptrace.GotConnInfo{Conn: l})
			if tt.asked {
				l.Write([]byte("question"))
			}
			if err := trip.check(&tt.answer); !errors.Is(err, tt.want) || neverSent(err) != !tt.asked {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if l.closed != tt.closed {
				t.Errorf("closed: got %v", l.closed)
			}
		})
	}
}
