package serve_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/witness"
)

// authority signs certificates in a folder of its own.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	pool   *x509.CertPool
	serial int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{folder: t.TempDir(), pool: x509.NewCertPool()}
	a.key = newKey(t)
	a.cert = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true}, nil, a.key, "authority")
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign writes a certificate as NAME.crt and its key as NAME.key.
func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey, name string) *x509.Certificate {
	t.Helper()
	a.serial++
	template.SerialNumber = big.NewInt(a.serial)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Unix(0, 0), time.Unix(1<<33, 0)
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(a.folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue writes a certificate for the DNS names as FILE.crt and FILE.key, and returns the
// settings that name them.
func (a *authority) issue(t *testing.T, file string, names ...string) string {
	t.Helper()
	a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: file}, DNSNames: names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, a.cert, newKey(t), file)
	return fmt.Sprintf("cert_file: %q, key_file: %q", filepath.Join(a.folder, file+".crt"), filepath.Join(a.folder, file+".key"))
}

// client is a client's certificate by that name.
func (a *authority) client(t *testing.T, file string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(a.folder, file+".crt"), filepath.Join(a.folder, file+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// over asks for / over TLS and returns the answer, its body and how it came.
func over(t *testing.T, address string, config *tls.Config, h2 bool) (*http.Response, string, error) {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: witness.Bound}).Post("https://"+address, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}

// tell says what the endpoint sees of a request.
func tell(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "for=%s proto=%s %s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), body)
}

// HTTP/2 and HTTP/1.1 are agreed on by ALPN, and the endpoint hears of https.
func TestTLSAndALPN(t *testing.T) {
	a := newAuthority(t)
	s := start(t, parse(t, backend(t, tell), ", tls: {"+a.issue(t, "site", "site.example")+"}", "", ""))
	for _, h2 := range []bool{false, true} {
		answer, body, err := over(t, s.Addresses()[0], &tls.Config{RootCAs: a.pool, ServerName: "site.example", NextProtos: []string{"http/1.1"}}, h2)
		if err != nil {
			t.Fatal(err)
		}
		want, protocol := "HTTP/1.1", "http/1.1"
		if h2 {
			want, protocol = "HTTP/2.0", "h2"
		}
		if answer.Proto != want || answer.TLS.NegotiatedProtocol != protocol || body != "for=127.0.0.1 proto=https hello" {
			t.Errorf("h2 %v: got %s, %q, %q", h2, answer.Proto, answer.TLS.NegotiatedProtocol, body)
		}
		if answer.TLS.Version != tls.VersionTLS13 {
			t.Errorf("version: got %x, want 1.3", answer.TLS.Version)
		}
	}
}

// A client that comes again need not show or see certificates anew.
func TestSessionsAreResumed(t *testing.T) {
	a := newAuthority(t)
	s := start(t, parse(t, backend(t, tell), ", tls: {"+a.issue(t, "site", "site.example")+"}", "", ""))
	config := secured(a)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i, want := range []bool{false, true} {
		answer, _, err := over(t, s.Addresses()[0], config, true)
		if err != nil {
			t.Fatal(err)
		}
		if answer.TLS.DidResume != want {
			t.Errorf("connection %d: got resumed %v, want %v", i, answer.TLS.DidResume, want)
		}
	}
}

// The certificate is the one with the name that the client asks for.
func TestCertificateByName(t *testing.T) {
	a := newAuthority(t)
	s := start(t, parse(t, backend(t, tell), fmt.Sprintf(", tls: {%s, certificates: [{%s}, {%s}]}",
		a.issue(t, "first", "first.example"), a.issue(t, "wild", "*.site.example"), a.issue(t, "exact", "www.site.example")), "", ""))
	for name, want := range map[string]string{
		"first.example": "first", "www.site.example": "exact", "WWW.site.example": "exact", "x.site.example": "wild",
		"x.y.site.example": "first", "elsewhere.example": "first", "": "first",
	} {
		c, err := tls.Dial("tcp", s.Addresses()[0], &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%q: got the certificate %s, want %s", name, got, want)
		}
		c.Close()
	}
}

func TestLeastVersionAndSuites(t *testing.T) {
	a := newAuthority(t)
	site := a.issue(t, "site", "site.example")
	cbc := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	for _, c := range []struct {
		settings string
		config   *tls.Config
		ok       bool
	}{
		{"", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: cbc}, false},
		{"", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{", min_version: 1.3", &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{", min_version: 1.3", &tls.Config{}, true},
	} {
		s := start(t, parse(t, backend(t, tell), ", tls: {"+site+c.settings+"}", "", ""))
		config := c.config.Clone()
		config.RootCAs, config.ServerName = a.pool, "site.example"
		if _, _, err := over(t, s.Addresses()[0], config, false); (err == nil) != c.ok {
			t.Errorf("tls: {%s}, up to %x with %v: got %v, want it to do: %v", c.settings, c.config.MaxVersion, c.config.CipherSuites, err, c.ok)
		}
	}
}

// Who has to show a certificate, and whose is good.
func TestClientCertificates(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	site := a.issue(t, "site", "site.example")
	a.issue(t, "client")
	stranger.issue(t, "client")
	for _, c := range []struct {
		auth             string
		none, own, else_ bool
	}{
		{"none", true, true, true},
		{"optional", true, true, false},
		{"required", false, true, false},
		{"", false, true, false},
	} {
		settings := ", tls: {" + site
		if c.auth != "none" {
			settings += fmt.Sprintf(", client_ca_file: %q", filepath.Join(a.folder, "authority.crt"))
		}
		if c.auth != "" {
			settings += ", client_auth: " + c.auth
		}
		s := start(t, parse(t, backend(t, tell), settings+"}", "", ""))
		for who, client := range map[string]struct {
			certificates []tls.Certificate
			ok           bool
		}{
			"nobody":         {nil, c.none},
			"a known client": {[]tls.Certificate{a.client(t, "client")}, c.own},
			"a stranger":     {[]tls.Certificate{stranger.client(t, "client")}, c.else_},
		} {
			config := &tls.Config{RootCAs: a.pool, ServerName: "site.example"}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if client.certificates == nil {
					return new(tls.Certificate), nil
				}
				return &client.certificates[0], nil
			}
			for _, h2 := range []bool{false, true} {
				if _, _, err := over(t, s.Addresses()[0], config, h2); (err == nil) != client.ok {
					t.Errorf("client_auth %q, %s, h2 %v: got %v, want it to do: %v", c.auth, who, h2, err, client.ok)
				}
			}
		}
	}
}

// A certificate that clients will refuse is no reason not to start, but one to say so.
func TestExpiredCertificateIsAWarning(t *testing.T) {
	a := newAuthority(t)
	settings := ", tls: {" + a.issue(t, "site", "site.example") + "}"
	for what, times := range map[string][2]time.Time{
		"certificate has expired":      {time.Unix(0, 0), time.Unix(1e9, 0)},
		"certificate is not valid yet": {time.Unix(1<<33-1, 0), time.Unix(1<<33, 0)},
	} {
		a.sign(t, &x509.Certificate{DNSNames: []string{"site.example"}, NotBefore: times[0], NotAfter: times[1]}, a.cert, newKey(t), "site")
		var text bytes.Buffer
		o := options()
		o.Log = slog.New(slog.NewJSONHandler(&text, nil))
		s := startWith(t, parse(t, "http://127.0.0.1:9", settings, "", ""), o)
		s.stop()
		if err := witness.Await(t, "end of the server", s.done); err != nil {
			t.Fatal(err)
		}
		if got := text.String(); strings.Count(got, `"level":"WARN"`) != 1 || !strings.Contains(got, what) {
			t.Errorf("log: got %q, want a warning that the %s", got, what)
		}
	}
}

// A reload reads the certificates anew, also of a listener whose settings stay: the next
// handshake has the new one, and connections that are there go on.
func TestCertificatesAreReloaded(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	settings := ", tls: {" + old.issue(t, "site", "site.example") + "}"
	file := parse(t, backend(t, tell), settings, "", "")
	o := options()
	o.Load = func() (*config.File, error) { return file, nil }
	s := startWith(t, file, o)
	address := s.Addresses()[0]
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: old.pool, ServerName: "site.example"}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: witness.Bound}
	ask := func() error {
		answer, err := client.Get("https://" + address)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	next.issue(t, "site", "site.example")
	for _, name := range []string{"site.crt", "site.key"} {
		data, err := os.ReadFile(filepath.Join(next.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(old.folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := s.Addresses()[0]; got != address {
		t.Fatalf("address after the reload: got %s, want %s", got, address)
	}
	if err := ask(); err != nil {
		t.Errorf("a connection that was there: got %v, want it to go on", err)
	}
	if _, _, err := over(t, address, &tls.Config{RootCAs: next.pool, ServerName: "site.example"}, true); err != nil {
		t.Errorf("a new connection: got %v, want the new certificate", err)
	}
	if err := os.WriteFile(filepath.Join(old.folder, "site.key"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a reload with a bad key: got nil, want an error")
	}
	if _, _, err := over(t, address, &tls.Config{RootCAs: next.pool, ServerName: "site.example"}, true); err != nil {
		t.Errorf("after a reload with a bad key: got %v, want everything as it was", err)
	}
}

// secured is how a client knows the certificates of an authority.
func secured(a *authority) *tls.Config {
	return &tls.Config{RootCAs: a.pool, ServerName: "site.example", NextProtos: []string{"h2"}}
}

// handshake makes a connection one of HTTP/2 over TLS.
func handshake(t *testing.T, c net.Conn, a *authority) net.Conn {
	t.Helper()
	over := tls.Client(c, secured(a))
	if err := over.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := over.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("protocol: got %q, want h2", got)
	}
	return over
}
