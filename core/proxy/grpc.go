package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md) says in trailers, or in the
// head of an answer without a body, how a call went; the status of HTTP is always 200.

const (
	grpcStatusHeader   = "Grpc-Status"
	grpcMessageHeader  = "Grpc-Message"
	grpcTimeoutHeader  = "Grpc-Timeout"
	grpcPushbackHeader = "Grpc-Retry-Pushback-Ms"
)

// Codes of gRPC that the proxy itself answers with.
const (
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// isGRPC reports whether a request is a call of gRPC. gRPC-Web, which has its trailers in the
// body, is not.
func isGRPC(r *http.Request) bool { return r.ProtoMajor == 2 && ofGRPC(r.Header) }

// ofGRPC reports whether a message is one of gRPC: application/grpc, perhaps with +proto or
// the like.
func ofGRPC(h http.Header) bool {
	values := h["Content-Type"]
	if len(values) != 1 {
		return false
	}
	rest, ok := strings.CutPrefix(values[0], "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcTimeout reads how long the client waits: up to eight digits and a unit. False for a
// call without a deadline, or one that is malformed.
func grpcTimeout(h http.Header) (time.Duration, bool) {
	text := h.Get(grpcTimeoutHeader)
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	unit := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil || unit == 0 {
		return 0, false
	}
	if n > uint64(maxCall/unit) {
		return maxCall, true
	}
	return time.Duration(n) * unit, true
}

// maxCall is the longest time that a call may ask for, so that no instant overflows.
const maxCall = 365 * 24 * time.Hour

// callPolicy is what a call may take. One with a deadline may take no longer than this, and
// no longer than others. One without may be a stream, which cannot be told beforehand, so it
// may go on for ever, as with Envoy and Linkerd once their timeout of a route is off; what a
// client may not do is to make an endpoint wait that has all of the call.
func callPolicy(policy *core.Policy, h http.Header) *core.Policy {
	bounded := *policy
	within, ok := grpcTimeout(h)
	switch {
	case !ok:
		bounded.Total = 0
	case policy.Total == 0 || within < policy.Total:
		bounded.Total = max(within, time.Nanosecond)
	}
	return &bounded
}

// grpcOutcomes are what the codes of gRPC say of an endpoint; README.md has the table.
var grpcOutcomes = [...]core.Outcome{
	0:                     core.Success,
	1:                     core.ClientError, // CANCELLED
	grpcUnknown:           core.ServerError,
	3:                     core.ClientError, // INVALID_ARGUMENT
	grpcDeadlineExceeded:  core.Timeout,
	5:                     core.ClientError, // NOT_FOUND
	6:                     core.ClientError, // ALREADY_EXISTS
	grpcPermissionDenied:  core.ClientError,
	grpcResourceExhausted: core.Throttled,
	9:                     core.ClientError, // FAILED_PRECONDITION
	10:                    core.ClientError, // ABORTED
	11:                    core.ClientError, // OUT_OF_RANGE
	grpcUnimplemented:     core.ClientError,
	grpcInternal:          core.ServerError,
	grpcUnavailable:       core.ServerError,
	15:                    core.ServerError, // DATA_LOSS
	grpcUnauthenticated:   core.ClientError,
}

// grpcOutcome is what the head or the trailer of an answer says; false when it says nothing.
// What is no code counts as UNKNOWN, as clients take it.
func grpcOutcome(h http.Header) (core.Outcome, bool) {
	values := h[grpcStatusHeader]
	if len(values) == 0 {
		return 0, false
	}
	code, err := strconv.ParseUint(values[0], 10, 8)
	if err != nil || code >= uint64(len(grpcOutcomes)) {
		code = grpcUnknown
	}
	return grpcOutcomes[code], true
}

// pushback is how long an endpoint of gRPC asks to be left alone; 0 when it does not ask.
func pushback(h http.Header) time.Duration {
	ms, err := strconv.ParseUint(h.Get(grpcPushbackHeader), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// learnGRPC takes what the head or the trailer of an answer of gRPC says into the sample.
func learnGRPC(s *core.Sample, h http.Header) (said bool) {
	o, said := grpcOutcome(h)
	if !said {
		return false
	}
	s.Outcome, s.RetryAfter = o, pushback(h)
	if o == core.ServerError && s.RetryAfter > 0 {
		s.Outcome = core.Throttled
	}
	return true
}

// conclude is what an answer that is complete has taught: with gRPC, that is in the trailer.
// A call without a status has failed.
func conclude(answer *http.Response, s core.Sample) core.Sample {
	if answer.StatusCode != http.StatusOK || !ofGRPC(answer.Header) {
		return s
	}
	if !learnGRPC(&s, answer.Trailer) && answer.Header[grpcStatusHeader] == nil {
		s.Outcome = core.ServerError
	}
	return s
}

// callBody is the body of an answer of gRPC. When it breaks off, it ends with a trailer that
// says so: a stream that is merely cut tells the client less.
type callBody struct {
	io.ReadCloser
	answer   *http.Response
	exchange *exchange
}

// Read implements io.Reader.
func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil || err == io.EOF || b.exchange.client.Err() != nil {
		return n, err
	}
	code, message := grpcUnavailable, core.Broken
	if errors.Is(context.Cause(b.exchange.late), errLate) {
		code, message = grpcDeadlineExceeded, core.TimedOut
	}
	b.answer.Trailer = http.Header{
		grpcStatusHeader:  {strconv.Itoa(code)},
		grpcMessageHeader: {"evenkeel: " + message.String()},
	}
	return n, io.EOF
}

// grpcCode is the code of gRPC for a status that the proxy answers with: as clients map
// what other proxies answer (doc/http-grpc-status-mapping.md), but that time which was over
// and what was too large have codes of their own.
func grpcCode(status int) int {
	switch status {
	case http.StatusBadRequest, http.StatusInternalServerError:
		return grpcInternal
	case http.StatusUnauthorized:
		return grpcUnauthenticated
	case http.StatusForbidden:
		return grpcPermissionDenied
	case http.StatusNotFound:
		return grpcUnimplemented
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return grpcResourceExhausted
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return grpcUnavailable
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return grpcDeadlineExceeded
	}
	return grpcUnknown
}

// refuseCall answers a call of gRPC for the proxy itself, with a head and no body. In
// metrics and logs it has the status that another request would have got.
func (w *response) refuseCall(status int, reason string) {
	h := w.Header()
	if after := retryAfter(h.Get("Retry-After")); after > 0 {
		h.Set(grpcPushbackHeader, strconv.FormatInt(after.Milliseconds(), 10))
	}
	kind, _, _ := strings.Cut(w.request.Header.Get("Content-Type"), ";") // application/grpc+json will have no other
	h.Set("Content-Type", kind)
	h.Set(grpcStatusHeader, strconv.Itoa(grpcCode(status)))
	h.Set(grpcMessageHeader, fmt.Sprintf("evenkeel: %d %s: %s", status, http.StatusText(status), reason))
	w.status = status
	w.head()
	w.awaitWrite(time.Now(), 0)
	w.ResponseWriter.WriteHeader(http.StatusOK)
}
