// Package config is every setting of evenkeel as plain data: the types, their
// defaults and the reasons for them, the rules they must meet, and the way from
// and to YAML. It starts nothing and knows nothing of what the settings drive.
//
//	file, err := config.Load("evenkeel.yaml")
//
// Reading is strict (see [strict]): an unknown field, a wrong type or an
// impossible value is an error with its line and column, and all of them are
// reported at once. What is not given has the default that [File.YAML] prints.
//
// A timeout of 0 means none, wherever 0 is allowed.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Version is the version of the file format that this program reads.
const Version = 1

// File is a whole configuration. The zero value is not valid; [Default] is, but
// for its lack of a pool.
type File struct {
	// Version of the format: 1, required, so that a later format can be told
	// from a mistake.
	Version int `yaml:"version,required" doc:"version of the format: 1"`

	// Listeners are the addresses that clients connect to, at least one.
	// Default: one on 127.0.0.1:8080, since a proxy without access rules should
	// not be reachable from elsewhere until somebody says so.
	Listeners []Listener `yaml:"listeners" doc:"addresses that clients connect to; default: one on 127.0.0.1:8080"`

	// Admin is the listener for metrics, health and the API.
	Admin Admin `yaml:"admin" doc:"listener for metrics, health and the API"`

	// Drain is how the proxy stops.
	Drain Drain `yaml:"drain" doc:"how the proxy stops"`

	// Log is what the proxy writes about itself.
	Log Log `yaml:"log" doc:"what the proxy writes about itself"`

	// Pools are the sets of endpoints, at least one.
	Pools []Pool `yaml:"pools" doc:"sets of endpoints, at least one"`

	// Routes say which request goes to which pool. Default, when there is
	// exactly one pool: one route from / to it.
	Routes []Route `yaml:"routes" doc:"which request goes to which pool; default: / to the only pool"`

	// RateLimit bounds the requests a second of all routes together; nil (the
	// default) means no bound.
	RateLimit *RateLimit `yaml:"rate_limit" doc:"bound on the requests a second of all routes together; absent: none"`

	// TrustedProxies are the peers whose X-Forwarded-* headers are believed, as
	// address ranges; a bare address stands for itself. Default: none, since a
	// client may write what it likes there.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" doc:"peers whose X-Forwarded-* headers are believed: address ranges or addresses"`
}

// Listener is one address that clients connect to.
type Listener struct {
	// Address to listen on, as host:port; an empty host means all addresses, and
	// port 0 lets the system choose. Required.
	Address string `yaml:"address,scalar,required" doc:"address to listen on, as host:port"`

	// ReadHeaderTimeout is how long a client may take to send a request's head.
	// Default 10s: ample for a slow link, and without a bound a few idle clients
	// could hold all connections (the Slowloris attack). 0 means none.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" doc:"how long a client may take to send the head of a request; 0 means no limit"`

	// IdleTimeout is how long a connection may wait for its next request.
	// Default 90s: longer than the 60 s after which the balancers and clients in
	// front commonly close, so that the side that sends requests closes first
	// and none is lost in the race. 0 means none.
	IdleTimeout time.Duration `yaml:"idle_timeout" doc:"how long a connection may wait for its next request; 0 means no limit"`

	// MaxHeaderBytes bounds the head of a request, in bytes, 1024 to 16777216.
	// Default 65536: room for large cookies and tokens, a sixteenth of what
	// net/http and Traefik would let every connection claim.
	MaxHeaderBytes int `yaml:"max_header_bytes" doc:"largest head of a request in bytes, 1024 to 16777216"`
}

// Defaults sets every field but the address, which has none.
func (l *Listener) Defaults() {
	*l = Listener{ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 64 << 10}
}

// Admin is the listener for metrics, health and the API.
type Admin struct {
	// Enabled turns the listener on. Default true.
	Enabled bool `yaml:"enabled" doc:"whether the admin listener is on"`

	// Address to listen on, as host:port. Default 127.0.0.1:9901 (Envoy's port,
	// where operators look first), local because it has no access control.
	Address string `yaml:"address" doc:"address of the admin listener, as host:port"`

	// Pprof serves /debug/pprof/. Default false: a profile costs CPU and shows
	// the inside of the process.
	Pprof bool `yaml:"pprof" doc:"whether /debug/pprof/ is served"`

	// Decisions are what is told of why endpoints were chosen.
	Decisions Decisions `yaml:"decisions" doc:"what is told of why endpoints were chosen"`
}

// Drain is how the proxy stops.
type Drain struct {
	// Timeout is how long requests in progress may take to finish after the
	// signal to stop; what is left then is cut off. More than 0; default 30s,
	// the grace period after which Kubernetes kills a pod.
	Timeout time.Duration `yaml:"timeout" doc:"how long requests in progress may take to finish when the proxy stops"`
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

// Default returns the configuration that an empty file would mean, if a file
// without pools were allowed.
func Default() File {
	var listener Listener
	listener.Defaults()
	listener.Address = "127.0.0.1:8080"
	return File{
		Version:   Version,
		Listeners: []Listener{listener},
		Admin:     Admin{Enabled: true, Address: "127.0.0.1:9901", Decisions: defaultDecisions},
		Drain:     Drain{Timeout: 30 * time.Second},
		Log:       Log{Level: "info"},
	}
}

// Load reads the configuration from a file, or from standard input when the path
// is "-". Problems in the file are a [strict.Errors].
func Load(path string) (*File, error) {
	if path == "-" {
		data, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		return Parse("stdin", data)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		var where *fs.PathError
		if errors.As(err, &where) {
			err = where.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return Parse(path, data)
}

// Parse reads the configuration from YAML; messages call it by the name. The
// error, if any, is a [strict.Errors] with every problem.
func Parse(name string, data []byte) (*File, error) {
	doc, err := strict.Parse(name, data)
	if err != nil {
		return nil, err
	}
	f := Default()
	doc.Decode(&f)
	f.complete()
	f.validate(doc.Reportf)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return &f, nil
}

// YAML writes the effective configuration, every default included. Parsing it
// yields the same File.
func (f *File) YAML() ([]byte, error) {
	return strict.Marshal(f)
}

// Schema returns the JSON Schema of the file.
func Schema() ([]byte, error) {
	return strict.Schema("evenkeel configuration", Default())
}
