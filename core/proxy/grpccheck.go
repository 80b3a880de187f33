package proxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

// call asks a server of gRPC for its health (github.com/grpc/grpc, doc/health-checking.md).
// Of the messages, HealthCheckRequest has the name of a service, HealthCheckResponse a
// status; both are the field with the number 1.
type call struct {
	service string
	port    int
	timeout time.Duration
}

const (
	healthMethod = "/grpc.health.v1.Health/Check"
	serving      = 1 // HealthCheckResponse.ServingStatus
)

func (c call) ask(ctx context.Context, pool *Pool, at *url.URL) (load core.LoadReport, well bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://h"+healthMethod, bytes.NewReader(healthQuestion(c.service)))
	if err != nil {
		return load, false
	}
	r.URL.Scheme, r.URL.Host = at.Scheme, atPort(at, c.port)
	r.Host = hostOf("", at)
	r.Header = http.Header{
		"Content-Type":    {"application/grpc"},
		"Te":              {"trailers"},
		"User-Agent":      {"evenkeel-health"},
		grpcTimeoutHeader: {strconv.FormatInt(max(1, min(c.timeout.Milliseconds(), 99_999_999)), 10) + "m"},
	}
	answer, err := pool.Transport.RoundTrip(r)
	if err != nil {
		return load, false
	}
	defer answer.Body.Close()
	message, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // to the trailer
	if err != nil || answer.StatusCode != http.StatusOK {
		return load, false
	}
	if o, said := grpcOutcome(answer.Trailer); !said || o != core.Success {
		return load, false
	}
	status, err := healthAnswer(message)
	return load, err == nil && status == serving
}

// healthQuestion is a HealthCheckRequest in the frame that gRPC has around a message: a zero
// byte for not compressed, and the length.
func healthQuestion(service string) []byte {
	var m []byte
	if service != "" {
		m = append(m, 1<<3|2) // field 1, a string
		m = binary.AppendUvarint(m, uint64(len(service)))
		m = append(m, service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

var errHealthAnswer = errors.New("proxy: not the answer to a health check")

// healthAnswer is the status in a framed HealthCheckResponse; 0 (unknown) when it says none.
func healthAnswer(framed []byte) (status uint64, err error) {
	if len(framed) < 5 || framed[0] != 0 || uint64(binary.BigEndian.Uint32(framed[1:])) != uint64(len(framed)-5) {
		return 0, errHealthAnswer
	}
	for m := framed[5:]; len(m) > 0; {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return 0, errHealthAnswer
		}
		m = m[n:]
		value, n := binary.Uvarint(m) // of a string, its length
		if n <= 0 {
			return 0, errHealthAnswer
		}
		m = m[n:]
		switch tag & 7 {
		case 0:
			if tag>>3 == 1 {
				status = value
			}
		case 2: // a field that we do not know
			if value > uint64(len(m)) {
				return 0, errHealthAnswer
			}
			m = m[value:]
		default:
			return 0, errHealthAnswer
		}
	}
	return status, nil
}
