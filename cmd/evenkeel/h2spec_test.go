//go:build conformance

package main

import (
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestH2spec runs h2spec, strictly, against the proxy and against a bare net/http server,
// over TLS and without: what the proxy fails net/http fails likewise.
func TestH2spec(t *testing.T) {
	program := install(t, "github.com/summerwind/h2spec/cmd/h2spec", "v2.2.1+incompatible")
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "an answer")
	})
	endpoint := httptest.NewServer(answer)
	defer endpoint.Close()
	cert, key := selfSigned(t)
	file := filepath.Join(t.TempDir(), "evenkeel.yaml")
	text := fmt.Sprintf(`version: 1
listeners:
  - 127.0.0.1:0
  - {address: 127.0.0.1:0, tls: {cert_file: %q, key_file: %q}}
admin: {enabled: false}
pools: [{name: web, endpoints: [%q]}]
`, cert, key, endpoint.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := launch(t, "run", "-c", file).ready(t)
	for i, secure := range []bool{false, true} {
		name := map[bool]string{false: "h2c", true: "TLS"}[secure]
		ours, total := h2spec(t, program, proxy.listeners(t)[i], secure)
		theirs, _ := h2spec(t, program, bare(t, answer, cert, key, secure), secure)
		t.Logf("%s: %d cases; the proxy fails %d %q, net/http fails %d %q", name, total, len(ours), ours, len(theirs), theirs)
		if total < 140 {
			t.Errorf("%s: got %d cases, want all of h2spec's", name, total)
		}
		for _, failure := range ours {
			if !slices.Contains(theirs, failure) {
				t.Errorf("%s: the proxy fails %q, and net/http does not", name, failure)
			}
		}
	}
}

// bare starts a net/http server and returns its address.
func bare(t *testing.T, handler http.Handler, cert, key string, secure bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(secure)
	s.Protocols.SetUnencryptedHTTP2(!secure)
	serve := func() error { return s.Serve(l) }
	if secure {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
		serve = func() error { return s.ServeTLS(l, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve() }()
	t.Cleanup(func() {
		s.Close()
		<-ended
	})
	return l.Addr().String()
}

// h2spec runs h2spec against an address, and returns the cases that failed, and how many
// there were.
func h2spec(t *testing.T, program, address string, secure bool) (failed []string, total int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "junit.xml")
	args := []string{"--host", host, "--port", port, "--strict", "--junit-report", report}
	if secure {
		args = append(args, "--tls", "--insecure")
	}
	out, err := exec.Command(program, args...).CombinedOutput() // the exit code says whether something failed
	data, unread := os.ReadFile(report)
	if unread != nil {
		t.Fatalf("h2spec: %v, %v\n%s", err, unread, out)
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string  `xml:"package,attr"`
				Name    string  `xml:"classname,attr"`
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
				Skipped *string `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			total++
			if c.Failure != nil || c.Error != nil {
				failed = append(failed, c.Package+": "+c.Name)
			}
		}
	}
	return failed, total
}
