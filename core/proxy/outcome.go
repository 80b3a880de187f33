package proxy

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// outcome classifies an attempt that failed with err, in the order of what is
// certain: the client has left, or broke its own request off; our own time was over;
// the endpoint has not begun with it, most often for want of a connection; and else the
// connection broke.
func (x *exchange) outcome(err error) core.Outcome {
	switch {
	case x.client.Err() != nil, x.upload != nil && x.upload.broken.Load(), x.tooSlow():
		return core.Abandoned
	case x.late != nil && errors.Is(context.Cause(x.late), errLate):
		return core.Timeout
	case neverSent(err) && x.upload.rewindable():
		return core.ConnectFailure
	}
	return core.Reset
}

// neverSent reports whether err came before the endpoint has done anything.
func neverSent(err error) bool {
	var never unsent
	return errors.As(err, &never)
}

// timedOut reports whether err is that something took too long, by a bound that the
// network has, not this package.
func timedOut(err error) bool {
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout()
}

// sampleOf is what an answer's head teaches.
func sampleOf(answer *http.Response) core.Sample {
	after := answer.Header.Get("Retry-After")
	s := core.Sample{
		Outcome:    core.OutcomeOf(answer.StatusCode, after != ""),
		RetryAfter: retryAfter(after),
	}
	if answer.StatusCode == http.StatusOK && ofGRPC(answer.Header) {
		learnGRPC(&s, answer.Header)
	}
	return s
}

// retryAfter reads the header's two forms (RFC 9110 §10.2.3); 0 for anything else, and the
// longest time that there is for more.
func retryAfter(text string) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		const most = uint64(math.MaxInt64 / time.Second)
		return time.Duration(min(seconds, most)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// mediaType is a Content-Type without its parameters, in lower case.
func mediaType(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(name))
}
