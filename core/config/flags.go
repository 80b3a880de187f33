package config

import (
	"fmt"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// FromEndpoints returns the configuration of a proxy that is run without a file:
// one listener, one pool called "default" with these endpoints, one route to it.
// Where an argument is empty the default stands; "off" for admin turns the admin
// listener off. The rules are those of a file; messages name the flags: --listen,
// --endpoints, --strategy and --admin.
func FromEndpoints(listen string, urls []string, strategy, admin string) (*File, error) {
	f := Default()
	if listen != "" {
		f.Listeners[0].Address = listen
	}
	switch admin {
	case "":
	case "off":
		f.Admin.Enabled = false
	default:
		f.Admin.Address = admin
	}
	var pool Pool
	pool.Defaults()
	pool.Name = "default"
	if strategy != "" {
		pool.Strategy = NewStrategy(strategy)
	}
	for _, url := range urls {
		pool.Endpoints = append(pool.Endpoints, Endpoint{URL: strings.TrimSpace(url), Weight: 1})
	}
	f.Pools = []Pool{pool}
	f.complete()

	var errs strict.Errors
	f.validate(func(path, format string, args ...any) {
		errs = append(errs, strict.Error{Message: flagOf(path) + ": " + fmt.Sprintf(format, args...)})
	})
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return &f, nil
}

// flagOf returns the flag that sets the value at a path.
func flagOf(path string) string {
	for _, flag := range []struct{ prefix, name string }{
		{"listeners", "--listen"},
		{"pools[0].endpoints", "--endpoints"},
		{"pools[0].strategy", "--strategy"},
		{"admin", "--admin"},
	} {
		if strings.HasPrefix(path, flag.prefix) {
			return flag.name
		}
	}
	return path
}
