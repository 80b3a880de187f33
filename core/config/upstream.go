package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// How requests are sent to the endpoints of a pool.
const (
	// ProtocolAuto: HTTP/2 where an https:// endpoint negotiates it (ALPN), else HTTP/1.1.
	ProtocolAuto = "auto"
	// ProtocolHTTP1: HTTP/1.1 only.
	ProtocolHTTP1 = "http1"
	// ProtocolH2: HTTP/2 only, negotiated with https:// endpoints, by prior knowledge
	// (h2c, RFC 9113 §3.3) with all others.
	ProtocolH2 = "h2"
)

var protocols = []string{ProtocolAuto, ProtocolHTTP1, ProtocolH2}

// Upstream is how a pool reaches its endpoints.
type Upstream struct {
	// Protocol is auto, http1 or h2. Default auto. A pool of gRPC servers without TLS
	// needs h2: nothing in a plain connection says that the other end understands
	// HTTP/2, so that has to be asked for.
	Protocol string `yaml:"protocol" enum:"auto,http1,h2" doc:"auto: HTTP/2 where https endpoints negotiate it; http1; h2: HTTP/2 only, to http endpoints without TLS (h2c), as gRPC servers need it"`

	// TLS is how https:// endpoints are known, and how the proxy is known to them; nil
	// (the default) means by the system's certificate authorities, and not at all.
	TLS *UpstreamTLS `yaml:"tls" doc:"how https endpoints are verified, and the proxy is to them; absent: by the system's authorities"`
}

// UpstreamTLS is TLS towards the endpoints of a pool.
type UpstreamTLS struct {
	// CAFile has the certificates (PEM) of the authorities that endpoints are verified
	// by. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty" doc:"certificates (PEM) of the authorities that vouch for the endpoints; default: the system's"`

	// CertFile and KeyFile are the proxy's own certificate (PEM, with its chain) and
	// key, for endpoints that ask for one (mutual TLS). Both or neither.
	CertFile string `yaml:"cert_file,omitempty" doc:"the proxy's own certificate (PEM, with its chain), for endpoints that ask for one"`
	KeyFile  string `yaml:"key_file,omitempty" doc:"key (PEM) of cert_file"`

	// ServerName is the name that the endpoints' certificates must be for, and that is
	// asked for (SNI). Default: the host of the endpoint's URL.
	ServerName string `yaml:"server_name,omitempty" doc:"name that the endpoints' certificates must be for; default: the host of the endpoint"`

	// MinVersion is the least version that is spoken, 1.2 or 1.3. Default 1.2: older
	// ones are deprecated (RFC 8996).
	MinVersion TLSVersion `yaml:"min_version" doc:"least version of TLS"`

	// InsecureSkipVerify takes any certificate for that of the endpoint. Default false.
	// For tests only: whoever stands between can read and answer everything.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify,omitempty" doc:"take any certificate for the endpoint's; for tests only, since anybody in between can then read and answer"`
}

// Defaults sets the least version.
func (t *UpstreamTLS) Defaults() { *t = UpstreamTLS{MinVersion: "1.2"} }

// TLSVersion is a version of TLS: 1.2 or 1.3.
type TLSVersion string

// UnmarshalText implements encoding.TextUnmarshaler: 1.3 is no string by itself in YAML.
func (v *TLSVersion) UnmarshalText(text []byte) error {
	if !slices.Contains(v.Enum(), string(text)) {
		return errors.New("expected 1.2 or 1.3")
	}
	*v = TLSVersion(text)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (v TLSVersion) MarshalText() ([]byte, error) { return []byte(v), nil }

// Enum are the versions that there are.
func (TLSVersion) Enum() []string { return []string{"1.2", "1.3"} }

// Config reads the files and returns the settings as crypto/tls has them; nil says to use
// the defaults (1.2 at least, as Defaults says). The error names the setting, by its name in the file.
func (t *UpstreamTLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return c, nil
	}
	c.ServerName, c.InsecureSkipVerify = t.ServerName, t.InsecureSkipVerify
	if t.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, &SettingError{"ca_file", unread(t.CAFile, err)}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &SettingError{"ca_file", fmt.Errorf("expected certificates in PEM, found none in %s", t.CAFile)}
		}
	}
	if t.CertFile == "" || t.KeyFile == "" {
		return c, nil
	}
	cert, err := os.ReadFile(t.CertFile)
	if err != nil {
		return nil, &SettingError{"cert_file", unread(t.CertFile, err)}
	}
	key, err := os.ReadFile(t.KeyFile)
	if err != nil {
		return nil, &SettingError{"key_file", unread(t.KeyFile, err)}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &SettingError{"cert_file", fmt.Errorf("expected a certificate and its key in %s and %s: %w", t.CertFile, t.KeyFile, err)}
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// SettingError is what is wrong with a setting that only its use shows.
type SettingError struct {
	Setting string // its path from the part that it belongs to
	Err     error
}

// Error returns "setting: error".
func (e *SettingError) Error() string { return e.Setting + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *SettingError) Unwrap() error { return e.Err }

// unread is why a file cannot be read, said once.
func unread(name string, err error) error {
	var where *fs.PathError
	if errors.As(err, &where) {
		err = where.Err
	}
	return fmt.Errorf("cannot read %s: %w", name, err)
}

func (u *Upstream) validate(report strict.Report) {
	oneOf(report, "protocol", "protocol", u.Protocol, protocols)
	if u.TLS != nil {
		u.TLS.validate(report.At("tls"))
	}
}

func (t *UpstreamTLS) validate(report strict.Report) {
	if t.ServerName != "" && !validHost(strings.ToLower(t.ServerName)) {
		report("server_name", "expected a host name, such as example.com, found %q", t.ServerName)
	}
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		report("cert_file", "expected a key_file, too")
	case t.KeyFile != "" && t.CertFile == "":
		report("key_file", "expected a cert_file, too")
	}
	if t.InsecureSkipVerify && t.CAFile != "" {
		report("insecure_skip_verify", "does not go with ca_file: either the certificates are verified, or they are not")
	}
	var wrong *SettingError
	if _, err := t.Config(); errors.As(err, &wrong) {
		report(wrong.Setting, "%v", wrong.Err)
	}
}

// unixScheme is the scheme of an endpoint that is a socket of this machine.
const unixScheme = "unix"

// socket is the path of the endpoint's socket; false for one that is reached by the network.
func (e Endpoint) socket() (path string, ok bool) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Scheme != unixScheme {
		return "", false
	}
	return u.Path, true
}

// Address is what is dialled for the endpoint: "tcp" and its key, or "unix" and the path of
// its socket. TLS says whether it is an https:// one.
func (e Endpoint) Address() (network, address string, TLS bool) {
	if path, ok := e.socket(); ok {
		return "unix", path, false
	}
	u, err := url.Parse(e.URL)
	return "tcp", e.Key(), err == nil && u.Scheme == "https"
}

// maxSocketPath is what fits into the address of a socket on all systems (Linux has room
// for 108 bytes, macOS for 104, a zero byte at the end included).
const maxSocketPath = 103

// checkSocket reports a URL of a socket that is no endpoint.
func checkSocket(report strict.Report, path, text string, u *url.URL) bool {
	const example = "an absolute path, as in unix:///run/app.sock"
	switch {
	case u.Host != "" || u.Opaque != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") || u.Path == "/":
		report(path, "%q: expected %s", text, example)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		report(path, "%q: expected %s, without a query or a fragment", text, example)
	case len(u.Path) > maxSocketPath:
		report(path, "%q: expected a path of at most %d bytes, the room that the system has for it", text, maxSocketPath)
	case strings.ContainsFunc(u.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`:[]%"\`, r) }):
		report(path, "%q: expected a path of plain characters", text)
	default:
		return true
	}
	return false
}

// hostPort is the network address of an endpoint's URL, with the port of its scheme where
// it has none.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	} else if port == "" {
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// validateReach reports settings that fit none of the pool's endpoints.
func (p *Pool) validateReach(report strict.Report) {
	secure, plain, sockets := false, false, false
	for _, e := range p.Endpoints {
		network, _, encrypted := e.Address()
		secure, plain, sockets = secure || encrypted, plain || !encrypted, sockets || network == "unix"
	}
	if p.TLS != nil && !secure && len(p.Endpoints) > 0 {
		report("tls", "no endpoint of this pool is https://")
	}
	if p.Health == nil {
		return
	}
	if p.Health.Port != 0 && sockets {
		report("health.port", "an endpoint that is a socket has no port")
	}
	if p.Health.Kind == CheckGRPC && (p.Protocol == ProtocolHTTP1 || p.Protocol != ProtocolH2 && plain) {
		report("health.kind", "grpc needs HTTP/2: expected protocol: h2 in this pool")
	}
}
