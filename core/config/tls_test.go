package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate for a name and its key.
func pair(t *testing.T, folder, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		write(t, filepath.Join(folder, file), pem.EncodeToMemory(block))
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Each thing that may be wrong with TLS is said where it stands; D stands for the folder.
func TestTLSRules(t *testing.T) {
	folder := t.TempDir()
	pair(t, folder, "a")
	pair(t, folder, "b")
	write(t, filepath.Join(folder, "text"), []byte("no PEM"))
	write(t, filepath.Join(folder, "garbled"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	write(t, filepath.Join(folder, "large"), make([]byte, largestPEM+1))
	const good = "cert_file: D/a.crt, key_file: D/a.key"
	for _, test := range []struct{ name, tls, want string }{
		{"one", good, ``},
		{"several", good + ", certificates: [{cert_file: D/b.crt, key_file: D/b.key}]", ``},
		{"in the list only", "certificates: [{cert_file: D/b.crt, key_file: D/b.key}]", ``},
		{"1.3", good + ", min_version: 1.3", ``},
		{"authorities", good + ", client_ca_file: D/b.crt", ``},
		{"authorities, optional", good + ", client_ca_file: D/b.crt, client_auth: optional", ``},
		{"nothing", "", `tls.cert_file: required, but not given`},
		{"no key", "cert_file: D/a.crt", `tls.key_file: required, but not given`},
		{"no certificate", "key_file: D/a.key", `tls.cert_file: required, but not given`},
		{"no key in the list", good + ", certificates: [{cert_file: D/b.crt}]", `tls.certificates[0].key_file: required, but not given`},
		{"no file", "cert_file: D/c.crt, key_file: D/a.key", `tls.cert_file: cannot read D/c.crt: no such file or directory`},
		{"no key's file", "cert_file: D/a.crt, key_file: D/c.key", `tls.key_file: cannot read D/c.key: no such file or directory`},
		{"a folder", "cert_file: D, key_file: D/a.key", `tls.cert_file: expected a file of at most 1048576 bytes, found that D is none`},
		{"a large file", "cert_file: D/large, key_file: D/a.key", `tls.cert_file: expected a file of at most 1048576 bytes, found that D/large is none`},
		{"text", "cert_file: D/text, key_file: D/a.key", `tls.cert_file: expected a CERTIFICATE in PEM, found none in D/text`},
		{"a certificate as the key", "cert_file: D/a.crt, key_file: D/a.crt", `tls.key_file: expected a PRIVATE KEY in PEM, found none in D/a.crt`},
		{"garbled", "cert_file: D/garbled, key_file: D/a.key", `tls.cert_file: expected a certificate that can be read in D/garbled: x509: malformed certificate`},
		{"another's key", "cert_file: D/a.crt, key_file: D/b.key", `tls.key_file: expected the key of the certificate in D/a.crt, found in D/b.key: tls: private key does not match public key`},
		{"two mistakes", "cert_file: D/c.crt, key_file: D/a.key, client_ca_file: D/text",
			"tls.cert_file: cannot read D/c.crt: no such file or directory\ntls.client_ca_file: expected a CERTIFICATE in PEM, found none in D/text"},
		{"garbled authorities", good + ", client_ca_file: D/garbled", `tls.client_ca_file: expected certificates in D/garbled, found none that can be read`},
		{"whose certificates", good + ", client_auth: required", `tls.client_auth: expected a client_ca_file, too: whose certificates are valid?`},
		{"authorities for nothing", good + ", client_ca_file: D/b.crt, client_auth: none", `tls.client_auth: none does not go with client_ca_file`},
		{"a word", good + ", client_auth: always", `tls.client_auth: unknown value "always": expected one of none, optional, required`},
		{"a version", good + ", min_version: 1.1", `tls.min_version: 1.1: expected 1.2 or 1.3`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := minimal + "listeners: [{address: ':1', tls: {" + strings.ReplaceAll(test.tls, "D", folder) + "}}]"
			f, err := Parse("f", []byte(text))
			if err == nil {
				checkRoundTrip(t, f)
			}
			var got []string
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					place, message, _ := strings.Cut(line, ": ")
					if !strings.HasPrefix(place, "f:3:") {
						t.Errorf("place: got %s, want f:3:", place)
					}
					got = append(got, strings.TrimPrefix(strings.ReplaceAll(strings.TrimSuffix(message, "\n"), folder, "D"), "listeners[0]."))
				}
			}
			if all := strings.Join(got, "\n"); all != test.want {
				t.Errorf("got  %s\nwant %s", all, test.want)
			}
		})
	}
}

// What is read is what TLS is made with.
func TestTLSConfig(t *testing.T) {
	folder := t.TempDir()
	pair(t, folder, "a")
	pair(t, folder, "b")
	file := func(name string) string { return filepath.Join(folder, name) }
	settings := TLS{
		Certificate:  Certificate{file("a.crt"), file("a.key")},
		Certificates: []Certificate{{file("b.crt"), file("b.key")}},
		MinVersion:   "1.2", ClientAuth: ClientAuthNone,
	}
	for _, c := range []struct {
		change  func(*TLS)
		version uint16
		clients tls.ClientAuthType
		pool    bool
	}{
		{func(*TLS) {}, tls.VersionTLS12, tls.NoClientCert, false},
		{func(s *TLS) { s.MinVersion = "1.3" }, tls.VersionTLS13, tls.NoClientCert, false},
		{func(s *TLS) { s.ClientCAFile, s.ClientAuth = file("a.crt"), ClientAuthRequired }, tls.VersionTLS12, tls.RequireAndVerifyClientCert, true},
		{func(s *TLS) { s.ClientCAFile, s.ClientAuth = file("a.crt"), ClientAuthOptional }, tls.VersionTLS12, tls.VerifyClientCertIfGiven, true},
	} {
		s := settings
		c.change(&s)
		got, err := s.Config()
		if err != nil {
			t.Fatal(err)
		}
		if got.MinVersion != c.version || got.ClientAuth != c.clients || (got.ClientCAs != nil) != c.pool {
			t.Errorf("%+v: got version %x, clients %v, authorities %v", s, got.MinVersion, got.ClientAuth, got.ClientCAs != nil)
		}
		if len(got.Certificates) != 2 || got.Certificates[0].Leaf.DNSNames[0] != "a" || got.Certificates[1].Leaf.DNSNames[0] != "b" {
			t.Errorf("%+v: got %d certificates, want those of a and b", s, len(got.Certificates))
		}
	}
}
