package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// outcome classifies an attempt that failed with err, in the order of what is
// certain: the client has left, or broke its own request off; our own time was over;
// no connection was made; and else the connection broke.
func (x *exchange) outcome(err error) core.Outcome {
	switch {
	case x.client.Err() != nil, x.upload != nil && x.upload.broken.Load(), x.tooSlow():
		return core.Abandoned
	case x.late != nil && errors.Is(context.Cause(x.late), errLate):
		return core.Timeout
	case neverConnected(err):
		return core.ConnectFailure
	}
	return core.Reset
}

// neverConnected reports whether err came before anything was sent.
func neverConnected(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate) || op == nil && timedOut(err) // of the TLS handshake
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
	return core.Sample{
		Outcome:    core.OutcomeOf(answer.StatusCode, after != ""),
		RetryAfter: retryAfter(after),
	}
}

// retryAfter reads the header's two forms (RFC 9110 §10.2.3); 0 for anything else.
func retryAfter(text string) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
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
