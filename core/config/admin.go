package config

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Admin is the listener for metrics, health and the API.
type Admin struct {
	// Enabled turns the listener on. Default true.
	Enabled bool `yaml:"enabled" doc:"whether the admin listener is on"`

	// Address to listen on, as host:port. Default 127.0.0.1:9901 (Envoy's port,
	// where operators look first), local because whoever reaches it may read
	// everything.
	Address string `yaml:"address" doc:"address of the admin listener, as host:port"`

	// Hosts are further names under which a loopback address may be asked, without a
	// port; localhost and addresses always may. Without this check the page of any
	// site could read everything, by having its own name point to 127.0.0.1 (DNS
	// rebinding).
	Hosts []string `yaml:"hosts" doc:"further names under which the admin listener may be asked, without a port; localhost and addresses always may"`

	// TokenFile has the token in its first line that calls need which change
	// something, as Authorization: Bearer TOKEN. Default: none, and nothing can be
	// changed by a call. It is read again on a reload.
	TokenFile string `yaml:"token_file" doc:"file whose first line is the token of calls that change something; absent: there are no such calls"`

	// Pprof serves /debug/pprof/. Default false: a profile costs CPU and shows
	// the inside of the process.
	Pprof bool `yaml:"pprof" doc:"whether /debug/pprof/ is served"`

	// Decisions are what is told of why endpoints were chosen.
	Decisions Decisions `yaml:"decisions" doc:"what is told of why endpoints were chosen"`
}

// Token reads the token of calls that change something; empty when there is no file.
func (a *Admin) Token() (string, error) {
	if a.TokenFile == "" {
		return "", nil
	}
	data, err := os.ReadFile(a.TokenFile)
	if err != nil {
		return "", unread(a.TokenFile, err)
	}
	token, _, _ := strings.Cut(string(data), "\n")
	if token = strings.TrimSpace(token); token == "" {
		return "", fmt.Errorf("expected a token in the first line of %s", a.TokenFile)
	}
	return token, nil
}

// validate reports what is wrong with the settings, by paths from a.
func (a *Admin) validate(report strict.Report) {
	a.Decisions.Validate(report.At("decisions"))
	if _, err := a.Token(); err != nil {
		report("token_file", "%v", err)
	}
	list(report, "hosts", a.Hosts, func(path, host string) {
		if !validHost(strings.ToLower(host)) {
			report(path, "expected a host name without a port, such as lb-1.internal, found %q", host)
		}
	})
}

// Drain is how the proxy stops.
type Drain struct {
	// Delay is how long the proxy goes on listening after /readyz has begun to say
	// 503, 0 to an hour. Default 0: where nothing stands in front that looks at
	// /readyz it would only make every stop slower. Behind a balancer, or in
	// Kubernetes, it is to be longer than that takes to notice: the interval of its
	// checks times the number that have to fail.
	Delay time.Duration `yaml:"delay" doc:"how long the proxy goes on listening after /readyz has begun to say 503; for a balancer in front to notice"`

	// Timeout is how long requests in progress may take to finish once the proxy has
	// stopped listening; what is left then is cut off. Upgraded connections and
	// streams count. More than 0; default 30s, the grace period after which
	// Kubernetes kills a pod.
	Timeout time.Duration `yaml:"timeout" doc:"how long requests in progress may take to finish when the proxy stops"`
}

// validate reports what is wrong with the settings, by paths from d.
func (d *Drain) validate(report strict.Report) {
	within(report, "delay", d.Delay, 0, time.Hour)
	positive(report, "timeout", d.Timeout)
}

// Log is what the proxy writes about itself.
type Log struct {
	// Level is the least severe level that is written: debug, info, warn or
	// error. Default info.
	Level string `yaml:"level" enum:"debug,info,warn,error" doc:"least severe level that is written"`

	// Access writes a line for every request. Default false: at full load the
	// log would cost more than the forwarding.
	Access bool `yaml:"access" doc:"whether every request is logged"`
}

// levels are the log levels, as the enum tag of [Log] has them too.
var levels = []string{"debug", "info", "warn", "error"}
