package proxy

import (
	"errors"
	"net/http"
	"net/http/httptrace"
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
