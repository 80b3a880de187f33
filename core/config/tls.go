package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// TLS is TLS towards the clients of a listener. HTTP/2 and HTTP/1.1 are offered by ALPN.
// Paths of files are relative to where the process runs.
type TLS struct {
	// Certificate is the first certificate, in short for a list of one.
	Certificate `yaml:",inline"`

	// Certificates are further ones, each with its key. The one with the name that the
	// client asks for (SNI) is used: an exact name before *.example.com, an earlier one
	// before a later one. Where none has it, or the client names none, the first of all is.
	Certificates []Certificate `yaml:"certificates" doc:"further certificates, chosen by the name that the client asks for; the first of all is for any other"`

	// MinVersion is the least version of TLS, 1.2 or 1.3. Default 1.2, which nearly
	// nobody is without; of its cipher suites those with forward secrecy and
	// authenticated encryption alone (RFC 9113 §9.2.2 forbids HTTP/2 the others).
	MinVersion TLSVersion `yaml:"min_version" doc:"least version of TLS"`

	// ClientCAFile has the authorities, in PEM, whose certificates clients may show.
	ClientCAFile string `yaml:"client_ca_file,omitempty" doc:"file with the authorities, in PEM, of clients' certificates"`

	// ClientAuth says whether clients show a certificate: none; optional, where one
	// that is shown has to be valid; or required. Default: required with ClientCAFile,
	// since naming the authorities and letting everybody in is rarely meant, and none
	// without.
	ClientAuth string `yaml:"client_auth" enum:"none,optional,required" doc:"whether clients show a certificate: none, optional or required; default: required with client_ca_file, or none"`
}

// Certificate is a certificate with its key.
type Certificate struct {
	// CertFile has the certificate, then those between it and its authority, in PEM;
	// KeyFile has its key. Both or neither: only beside certificates may they be absent.
	CertFile string `yaml:"cert_file,omitempty" doc:"file with the certificate and those between it and its authority, in PEM"`
	KeyFile  string `yaml:"key_file,omitempty" doc:"file with the certificate's key, in PEM"`
}

// The values of TLS.ClientAuth.
const (
	ClientAuthNone     = "none"
	ClientAuthOptional = "optional"
	ClientAuthRequired = "required"
)

var clientAuths = []string{ClientAuthNone, ClientAuthOptional, ClientAuthRequired}

// Defaults sets the least version.
func (t *TLS) Defaults() { *t = TLS{MinVersion: "1.2", ClientAuth: ClientAuthNone} }

// Derive asks clients for a certificate where their authorities are named.
func (t *TLS) Derive(has func(string) bool) {
	if has("client_ca_file") && !has("client_auth") {
		t.ClientAuth = ClientAuthRequired
	}
}

// all are the certificates in their order, with the paths of their settings.
func (t *TLS) all() (certificates []Certificate, paths []string) {
	if t.Certificate != (Certificate{}) || len(t.Certificates) == 0 {
		certificates, paths = append(certificates, t.Certificate), append(paths, "")
	}
	for i, c := range t.Certificates {
		certificates, paths = append(certificates, c), append(paths, fmt.Sprintf("certificates[%d].", i))
	}
	return certificates, paths
}

// suites are the cipher suites of TLS 1.2; those of 1.3 are not for choosing.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Config reads the files and returns what they make. The error joins a *SettingError for
// each that is wrong.
func (t *TLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites, NextProtos: []string{"h2", "http/1.1"}}
	if t.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	var all []error
	certificates, paths := t.all()
	for i, pair := range certificates {
		certificate, err := pair.load(paths[i])
		all = append(all, err)
		c.Certificates = append(c.Certificates, certificate)
	}
	c.GetCertificate = choose(c.Certificates)
	var err error
	if c.ClientCAs, err = t.clientCAs(); err != nil {
		all = append(all, &SettingError{"client_ca_file", err})
	}
	switch t.ClientAuth {
	case ClientAuthOptional:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case ClientAuthRequired:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return c, nil
}

// choose returns the choice among certificates by the name that a client asks for.
// crypto/tls by itself takes the first that has it, be it with a wildcard.
func choose(all []tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		exact := func(c *x509.Certificate) bool {
			return slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, hello.ServerName) })
		}
		var other *tls.Certificate
		for i := range all {
			if hello.SupportsCertificate(&all[i]) != nil {
				continue // another name, or another kind of key than the client knows
			}
			if hello.ServerName == "" || exact(all[i].Leaf) {
				return &all[i], nil
			}
			if other == nil {
				other = &all[i]
			}
		}
		if other == nil {
			other = &all[0]
		}
		return other, nil
	}
}

// load reads the certificate and its key; path begins the names of the settings.
func (c Certificate) load(path string) (tls.Certificate, error) {
	none := tls.Certificate{}
	switch {
	case c.CertFile == "":
		return none, &SettingError{path + "cert_file", errors.New("required, but not given")}
	case c.KeyFile == "":
		return none, &SettingError{path + "key_file", errors.New("required, but not given")}
	}
	chain, err := readPEM(c.CertFile, "CERTIFICATE")
	if err != nil {
		return none, &SettingError{path + "cert_file", err}
	}
	key, err := readPEM(c.KeyFile, "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")
	if err != nil {
		return none, &SettingError{path + "key_file", err}
	}
	if err := parseFirst(chain); err != nil {
		return none, &SettingError{path + "cert_file", fmt.Errorf("expected a certificate that can be read in %s: %w", c.CertFile, err)}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return none, &SettingError{path + "key_file", fmt.Errorf("expected the key of the certificate in %s, found in %s: %w", c.CertFile, c.KeyFile, err)}
	}
	return pair, nil
}

// parseFirst reports what is wrong with the first certificate of the PEM data, which has
// one.
func parseFirst(data []byte) error {
	for {
		block, rest := pem.Decode(data)
		if block.Type == "CERTIFICATE" {
			_, err := x509.ParseCertificate(block.Bytes)
			return err
		}
		data = rest
	}
}

func (t *TLS) clientCAs() (*x509.CertPool, error) {
	if t.ClientCAFile == "" {
		return nil, nil
	}
	data, err := readPEM(t.ClientCAFile, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("expected certificates in %s, found none that can be read", t.ClientCAFile)
	}
	return pool, nil
}

// largestPEM bounds what is read of a file: all the authorities of a browser have less.
const largestPEM = 1 << 20

// readPEM reads a file that has a block of one of the kinds, at least.
func readPEM(path string, kinds ...string) ([]byte, error) {
	file, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, unread(path, err)
	case !file.Mode().IsRegular() || file.Size() > largestPEM:
		return nil, fmt.Errorf("expected a file of at most %d bytes, found that %s is none", largestPEM, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unread(path, err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		for _, kind := range kinds {
			if block.Type == kind {
				return data, nil
			}
		}
	}
	return nil, fmt.Errorf("expected a %s in PEM, found none in %s", kinds[0], path)
}

func (t *TLS) validate(report strict.Report) {
	switch {
	case !oneOf(report, "client_auth", "value", t.ClientAuth, clientAuths):
	case t.ClientAuth != ClientAuthNone && t.ClientCAFile == "":
		report("client_auth", "expected a client_ca_file, too: whose certificates are valid?")
	case t.ClientAuth == ClientAuthNone && t.ClientCAFile != "":
		report("client_auth", "%s does not go with client_ca_file", t.ClientAuth)
	}
	_, err := t.Config()
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range several.Unwrap() {
			var wrong *SettingError
			if errors.As(err, &wrong) {
				report(wrong.Setting, "%v", wrong.Err)
			}
		}
	}
}
