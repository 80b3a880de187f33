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
