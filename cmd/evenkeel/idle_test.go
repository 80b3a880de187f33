//go:build conformance

package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/witness"
)

// TestIdleConnections measures the memory that a connection takes which waits for its next
// request: the growth of the process's resident memory over 10,000 of them, each of which
// has had one request. A new process for each kind, so that none lives on another's
// leavings.
func TestIdleConnections(t *testing.T) {
	const n = 10_000
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "an answer") }))
	defer endpoint.Close()
	cert, key := selfSigned(t)
	for _, kind := range []struct {
		name, protocol string // agreed on by ALPN; empty without TLS
		most           int    // bytes
		ask            func(net.Conn) error
	}{
		{"HTTP/1.1", "", 32 << 10, askHTTP1},
		{"HTTP/1.1 over TLS", "http/1.1", 64 << 10, askHTTP1},
		{"HTTP/2 over TLS", "h2", 128 << 10, askHTTP2},
	} {
		secure := ""
		if kind.protocol != "" {
			secure = fmt.Sprintf(", tls: {cert_file: %q, key_file: %q}", cert, key)
		}
		file := filepath.Join(t.TempDir(), "evenkeel.yaml")
		text := fmt.Sprintf("version: 1\nlisteners: [{address: 127.0.0.1:0, idle_timeout: 1h, max_connections: %d%s}]\nadmin: {address: 127.0.0.1:0}\npools: [{name: web, endpoints: [%q]}]\n", n, secure, endpoint.URL)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := launch(t, "run", "-c", file).ready(t)
		open := func() net.Conn {
			c, err := net.Dial("tcp", p.proxy)
			if err == nil && kind.protocol != "" {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{kind.protocol}})
			}
			if err == nil {
				err = kind.ask(c)
			}
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for range 100 { // what the first ones need is there for good
			open().Close()
		}
		before := resident(t, p)
		connections := make([]net.Conn, n)
		for i := range connections {
			connections[i] = open()
		}
		witness.Eventually(t, "all are idle", func() bool {
			_, metrics := get("http://" + p.admin + "/metrics")
			return strings.Contains(metrics, fmt.Sprintf("state=\"idle\"} %d\n", n))
		})
		each := (resident(t, p) - before) / n
		t.Logf("%s: %d bytes a connection", kind.name, each)
		if each > kind.most {
			t.Errorf("%s: got %d bytes a connection, want at most %d", kind.name, each, kind.most)
		}
		for _, c := range connections {
			if over, ok := c.(*tls.Conn); ok {
				c = over.NetConn() // at once, without a farewell
			}
			c.Close()
		}
		p.signal(t, os.Interrupt)
		p.exit(t)
	}
}

func askHTTP1(c net.Conn) error {
	c.SetDeadline(time.Now().Add(witness.Bound))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(c, 1<<10), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// askHTTP2 sends a request in frames written by hand, and reads until its stream ends.
func askHTTP2(c net.Conn) error {
	c.SetDeadline(time.Now().Add(witness.Bound))
	const request = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + // SETTINGS
		"\x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x87\x84\x41\x01a" // HEADERS: GET https://a/
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	const endStream = 1
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return err
		}
		kind, flags := head[3], head[4]
		if _, err := io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
			return err
		}
		switch {
		case kind == 4 && flags == 0: // SETTINGS: agreed
			if _, err := io.WriteString(c, "\x00\x00\x00\x04\x01\x00\x00\x00\x00"); err != nil {
				return err
			}
		case kind <= 1 && flags&endStream != 0:
			return nil
		case kind == 3 || kind == 7:
			return fmt.Errorf("frame of type %d: want the answer", kind)
		}
	}
}

// resident is the resident memory of a process in bytes.
func resident(t *testing.T, p *process) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nVmRSS:")
	kib := 0
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
