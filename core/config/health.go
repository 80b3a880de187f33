package config

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// The kinds of checks.
const (
	CheckHTTP = "http"
	CheckGRPC = "grpc"
	CheckTCP  = "tcp"
)

var checkKinds = []string{CheckHTTP, CheckGRPC, CheckTCP}

// Health is the active check of every endpoint. A setting that the kind does not have
// is zero.
type Health struct {
	// Kind is what a check does: http, a GET whose answer's status decides; grpc, a call
	// of grpc.health.v1.Health/Check, which must say SERVING (the gRPC health checking
	// protocol); tcp, a connection that must open. Over TLS where the endpoint is
	// https://; a tcp check includes the handshake then. Default http, as the zero value.
	Kind string `yaml:"kind,scalar" enum:"http,grpc,tcp" doc:"what a check does: http, a GET; grpc, the gRPC health checking protocol; tcp, a connection"`

	// Path that is asked for; it starts with a slash. Default /healthz, the
	// habit of Kubernetes. Only for http.
	Path string `yaml:"path,omitempty" doc:"path that is asked for; only for http"`

	// Host is the Host header of the check. Default: the endpoint's own address, or
	// localhost for a socket. Only for http.
	Host string `yaml:"host,omitempty" doc:"Host header of the check; default: the endpoint's address; only for http"`

	// Status are the statuses of a good answer, as 200-399 or 204. Default 200-399.
	// Only for http.
	Status Statuses `yaml:"status,omitempty" doc:"statuses of a good answer, such as 200-399 or 204; only for http"`

	// Service whose health is asked for; empty (the default) for that of the server as
	// a whole. Only for grpc.
	Service string `yaml:"service,omitempty" doc:"service whose health is asked for; empty: the whole server's; only for grpc"`

	// Port that is checked, 1 to 65535. Default 0: that of the endpoint. A socket has
	// none.
	Port int `yaml:"port,omitempty" doc:"port that is checked; absent: the endpoint's"`

	// Interval between two checks of an endpoint; more than 0. Default 2s, as in
	// HAProxy: with Fall at 3 a dead endpoint is found within 6 s.
	Interval time.Duration `yaml:"interval" doc:"time between two checks of an endpoint"`

	// Timeout is how long a check may take, connecting included; more than 0. What
	// takes longer has failed. Default 1s.
	Timeout time.Duration `yaml:"timeout" doc:"how long a check may take"`

	// Rise is the number of successes in a row after which an endpoint is used
	// again, 1 to 100. Default 2, as in HAProxy: one may be chance.
	Rise int `yaml:"rise" doc:"successes in a row after which an endpoint is used again, 1 to 100"`

	// Fall is the number of failures in a row after which an endpoint is taken
	// out, 1 to 100. Default 3, as in HAProxy.
	Fall int `yaml:"fall" doc:"failures in a row after which an endpoint is taken out, 1 to 100"`
}

// Defaults sets every field to those of an http check.
func (h *Health) Defaults() {
	*h = Health{
		Kind: CheckHTTP, Path: "/healthz", Status: goodStatuses,
		Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
	}
}

// Derive takes the defaults away that the kind does not have.
func (h *Health) Derive(has func(string) bool) {
	if h.Kind == CheckHTTP {
		return
	}
	keep(&h.Path, "", has("path"))
	keep(&h.Status, Statuses{}, has("status"))
}

// Validate reports what is wrong with the check, by paths from h.
func (h *Health) Validate(report strict.Report) {
	if kind := cmp.Or(h.Kind, CheckHTTP); oneOf(report, "kind", "kind", kind, checkKinds) {
		http := []string{CheckHTTP}
		settings{report, kind}.check([]setting{
			{"path", h.Path != "", http, func() { checkPath(report, "path", h.Path, true) }},
			{"host", h.Host != "", http, func() { checkHostHeader(report, "host", h.Host) }},
			{"status", h.Status != Statuses{}, http, func() { h.Status.validate(report.At("status")) }},
			{"service", h.Service != "", []string{CheckGRPC}, func() { checkService(report, "service", h.Service) }},
		})
	}
	between(report, "port", h.Port, 0, 65535)
	positive(report, "interval", h.Interval)
	positive(report, "timeout", h.Timeout)
	between(report, "rise", h.Rise, 1, 100)
	between(report, "fall", h.Fall, 1, 100)
}

// checkHostHeader reports what is no host, with or without a port.
func checkHostHeader(report strict.Report, path, host string) {
	name, port := host, "80"
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, p
	}
	name = strings.Trim(name, "[]")
	if n, err := strconv.ParseUint(port, 10, 16); host != "" && (err != nil || n == 0 || !validHost(strings.ToLower(name))) {
		report(path, "expected a host name, such as example.com, perhaps with a port, found %q", host)
	}
}

// maxService bounds the name of a service: what is longer is no name.
const maxService = 1000

// checkService reports what is no name of a service.
func checkService(report strict.Report, path, name string) {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	if strings.ContainsFunc(name, odd) || len(name) > maxService {
		report(path, "expected the name of a gRPC service, such as shop.v1.Orders, found %q", name)
	}
}

// Statuses are the HTTP statuses from the first to the last. The zero value counts as
// 200-399.
type Statuses struct{ First, Last int }

// Has reports whether a status is one of them.
func (s Statuses) Has(status int) bool {
	if s == (Statuses{}) {
		s = goodStatuses
	}
	return s.First <= status && status <= s.Last
}

// goodStatuses are those of an answer that went well.
var goodStatuses = Statuses{200, 399}

// MarshalText writes them as 200-399, or 204 where there is only one.
func (s Statuses) MarshalText() ([]byte, error) {
	switch s.First {
	case 0:
		return nil, nil
	case s.Last:
		return strconv.AppendInt(nil, int64(s.First), 10), nil
	}
	return fmt.Appendf(nil, "%d-%d", s.First, s.Last), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *Statuses) UnmarshalText(text []byte) error {
	low, high, isRange := strings.Cut(string(text), "-")
	if !isRange {
		high = low
	}
	first, err1 := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("expected a status or a range of them, such as 200-399")
	}
	*s = Statuses{int(first), int(last)}
	return nil
}

func (s Statuses) validate(report strict.Report) {
	if s == (Statuses{}) {
		return
	}
	if s.First < 200 || s.Last > 599 || s.First > s.Last {
		report("", "expected a range within 200-599, found %d-%d", s.First, s.Last)
	}
}
