package proxy_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/core/proxy"
)

// authority signs certificates for a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	der, a.key = a.sign(t, a.certificate)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func (a *authority) sign(t *testing.T, c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// issue writes a certificate for a name, and its key.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	der, private := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
	})
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, cert, "CERTIFICATE", der)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, key, "PRIVATE KEY", raw)
	return cert, key
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secured starts a TLS backend that says which protocol it was asked in, and by whom.
func (a *authority) secured(t *testing.T, h2 bool, change func(*tls.Config)) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
		for _, c := range r.TLS.PeerCertificates {
			io.WriteString(w, " of "+c.Subject.CommonName)
		}
	}))
	cert, key := a.issue(t, "backend.example")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if change != nil {
		change(s.TLS)
	}
	s.EnableHTTP2 = h2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestProtocolAndTLSToEndpoints(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	cert, key := a.issue(t, "proxy")
	known := func() *config.UpstreamTLS {
		return &config.UpstreamTLS{CAFile: a.file, ServerName: "backend.example", MinVersion: "1.2"}
	}
	mutual := func(c *tls.Config) {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.ClientCAs = x509.NewCertPool()
		c.ClientCAs.AddCert(a.parsed(t))
	}
	for name, tt := range map[string]struct {
		protocol string
		h2       bool // the endpoint offers it
		server   func(*tls.Config)
		tls      func(*config.UpstreamTLS)
		status   int
		body     string
	}{
		"auto, HTTP/2":       {config.ProtocolAuto, true, nil, nil, 200, "HTTP/2.0"},
		"auto, HTTP/1":       {config.ProtocolAuto, false, nil, nil, 200, "HTTP/1.1"},
		"http1":              {config.ProtocolHTTP1, true, nil, nil, 200, "HTTP/1.1"},
		"h2":                 {config.ProtocolH2, true, nil, nil, 200, "HTTP/2.0"},
		"h2, but not there":  {config.ProtocolH2, false, nil, nil, 502, ""},
		"unknown authority":  {config.ProtocolAuto, false, nil, func(c *config.UpstreamTLS) { c.CAFile = b.file }, 502, ""},
		"by the system's":    {config.ProtocolAuto, false, nil, func(c *config.UpstreamTLS) { c.CAFile = "" }, 502, ""},
		"another name":       {config.ProtocolAuto, false, nil, func(c *config.UpstreamTLS) { c.ServerName = "other.example" }, 502, ""},
		"the address's name": {config.ProtocolAuto, false, nil, func(c *config.UpstreamTLS) { c.ServerName = "" }, 502, ""},
		"anybody":            {config.ProtocolAuto, false, nil, func(c *config.UpstreamTLS) { *c = config.UpstreamTLS{InsecureSkipVerify: true} }, 200, "HTTP/1.1"},
		"mutual":             {config.ProtocolAuto, true, mutual, func(c *config.UpstreamTLS) { c.CertFile, c.KeyFile = cert, key }, 200, "HTTP/2.0 of proxy"},
		"mutual, without":    {config.ProtocolAuto, false, mutual, nil, 502, ""},
		"too old for us":     {config.ProtocolAuto, false, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, func(c *config.UpstreamTLS) { c.MinVersion = "1.3" }, 502, ""},
		"old enough":         {config.ProtocolAuto, false, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, nil, 200, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := known()
			if tt.tls != nil {
				tt.tls(settings)
			}
			at := a.secured(t, tt.h2, tt.server)
			g := newRig(t, plan{endpoints: []string{at}, upstream: config.Upstream{Protocol: tt.protocol, TLS: settings}})
			got := g.get(t, "/")
			if wantStatus(t, got, tt.status); tt.body != "" && got.body != tt.body {
				t.Errorf("got %q, want %q", got.body, tt.body)
			}
			if name == "mutual, without" {
				return // in TLS 1.3 the client hears of it when it reads: that is no failure to connect
			}
			failures := 0.0
			if tt.status == 502 {
				failures = 1
			}
			wantCount(t, "connect failures", g.count(t, "evenkeel_attempts_total", `outcome="connect-failure"`), failures)
		})
	}
}

func (a *authority) parsed(t *testing.T) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A pool without TLS speaks HTTP/1.1 unless it is told otherwise.
func TestProtocolWithoutTLS(t *testing.T) {
	for protocol, want := range map[string]string{config.ProtocolAuto: "HTTP/1.1", config.ProtocolHTTP1: "HTTP/1.1", config.ProtocolH2: "HTTP/2.0"} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(true)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		t.Cleanup(s.Close)
		g := newRig(t, plan{endpoints: []string{s.URL}, upstream: config.Upstream{Protocol: protocol}})
		if got := g.get(t, "/"); got.body != want {
			t.Errorf("%s: got %q, want %q", protocol, got.body, want)
		}
	}
}

// A socket is an endpoint like any other; its Host header is the client's.
func TestSocket(t *testing.T) {
	for _, protocol := range []string{config.ProtocolAuto, config.ProtocolH2} {
		t.Run(protocol, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.sock")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, r.Proto, " ", r.Host, " ", r.URL)
			}))
			s.Listener.Close()
			s.Listener = l
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
			t.Cleanup(s.Close)
			g := newRig(t, plan{endpoints: []string{"unix://" + path}, upstream: config.Upstream{Protocol: protocol}})
			r := g.request(t, http.MethodGet, "/a?b=c", nil)
			r.Host = "shop.example"
			got := g.do(t, r)
			if wantStatus(t, got, 200); !strings.HasSuffix(got.body, " shop.example /a?b=c") {
				t.Errorf("got %q", got.body)
			}
			wantCount(t, "attempts at it", g.count(t, "evenkeel_attempts_total", `endpoint="`+path+`"`), 1.0)
			if got := g.router.View().Members[0].Target.(proxy.Upstream).String(); got != "unix://"+path {
				t.Errorf("URL: got %q", got)
			}
			s.Close()
			wantStatus(t, g.get(t, "/"), 502)
		})
	}
}

// One connection that is full does not keep requests waiting: another is opened.
func TestFullConnectionOfHTTP2(t *testing.T) {
	const streams, requests = 2, 7
	var connections atomic.Int64
	leave := newGate(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // behind what the endpoint says of its streams
		<-leave.open
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	g := newRig(t, plan{endpoints: []string{s.URL}, upstream: config.Upstream{Protocol: config.ProtocolH2}})
	for range requests {
		got, err := g.Client.Do(g.request(t, http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
	}
	if got, want := connections.Load(), int64((requests+streams-1)/streams); got != want {
		t.Errorf("connections for %d requests of %d streams each: got %d, want %d", requests, streams, got, want)
	}
}

// frames is an endpoint that speaks HTTP/2 by hand: for each request it is asked what frame
// to send for the stream.
func frames(t *testing.T, answer func(request int, stream uint32) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var requests atomic.Int64
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				io.CopyN(io.Discard, in, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
				c.Write(frame(4, 0, 0, nil)) // SETTINGS
				head := make([]byte, 9)
				for {
					if _, err := io.ReadFull(in, head); err != nil {
						return
					}
					size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
					io.CopyN(io.Discard, in, size)
					switch stream := binary.BigEndian.Uint32(head[5:]); head[3] {
					case 4:
						if head[4] == 0 {
							c.Write(frame(4, 1, 0, nil))
						}
					case 1: // HEADERS
						c.Write(answer(int(requests.Add(1)), stream))
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return "http://" + l.Addr().String()
}

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

// What an endpoint says that it has not begun with goes elsewhere, whatever it asks for: the
// body is still there. What was lost for another reason does not.
func TestUnprocessedByHTTP2(t *testing.T) {
	reset := func(code byte) func(int, uint32) []byte {
		return func(_ int, stream uint32) []byte { return frame(3, 0, stream, []byte{0, 0, 0, code}) }
	}
	goAway := func(int, uint32) []byte { return frame(7, 0, 0, make([]byte, 8)) } // none was looked at
	for name, tt := range map[string]struct {
		answer  func(int, uint32) []byte
		status  int
		outcome string
	}{
		"refused":  {reset(7), 200, "connect-failure"},
		"go away":  {goAway, 200, "connect-failure"},
		"internal": {reset(2), 502, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			well := newH2C(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
			g := newRig(t, plan{
				endpoints: []string{frames(t, tt.answer), well.URL}, upstream: config.Upstream{Protocol: config.ProtocolH2},
			})
			status := 200
			for range 2 { // one of the two is tried at the other first
				got := g.do(t, g.request(t, http.MethodPost, "/", strings.NewReader("orders")))
				if got.status == 200 && got.body != "orders" {
					t.Errorf("body: got %q", got.body)
				}
				status = max(status, got.status)
			}
			if status != tt.status {
				t.Errorf("status: got %d, want %d", status, tt.status)
			}
			if got := g.count(t, "evenkeel_attempts_total", `outcome="`+tt.outcome+`"`); got < 1 {
				t.Errorf("%s: got %v, want at least one", tt.outcome, got)
			}
			if got := g.count(t, "evenkeel_attempts_total"); got > 4 {
				t.Errorf("attempts: got %v", got)
			}
		})
	}
}

// A connection that is about to be closed is no failure of its endpoint.
func TestGoAwayIsFollowedByANewConnection(t *testing.T) {
	at := frames(t, func(request int, stream uint32) []byte {
		if request == 1 {
			return frame(7, 0, 0, make([]byte, 8))
		}
		return frame(1, 4|1, stream, []byte{0x88}) // HEADERS, the last of the stream: status 200
	})
	g := newRig(t, plan{endpoints: []string{at}, upstream: config.Upstream{Protocol: config.ProtocolH2}})
	wantStatus(t, g.do(t, g.request(t, http.MethodPost, "/", strings.NewReader("orders"))), 200)
	wantCount(t, "attempts", g.count(t, "evenkeel_attempts_total"), 1.0)
}
