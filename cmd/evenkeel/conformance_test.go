//go:build conformance

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// install builds a program of another module, at a version, and returns its path. It is
// kept in the user's cache: the version is part of the place.
func install(t *testing.T, program, version string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "evenkeel-conformance", path.Base(program)+"@"+version)
	file := filepath.Join(folder, path.Base(program))
	if _, err := os.Stat(file); err == nil {
		return file
	}
	c := exec.Command("go", "install", program+"@"+version)
	c.Dir = t.TempDir() // outside of this module
	c.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go install %s@%s: %v\n%s", program, version, err, out)
	}
	return file
}

// selfSigned writes a certificate for localhost and its key, and returns their paths.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
	}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: certDER}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// listeners are the addresses that the process has said it listens on.
func (p *process) listeners(t *testing.T) []string {
	t.Helper()
	for line := range strings.Lines(p.log.String()) {
		var said struct {
			Msg       string
			Listeners []string
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "ready" {
			return said.Listeners
		}
	}
	t.Fatalf("the process has not said where it listens:\n%s", p.log)
	return nil
}
