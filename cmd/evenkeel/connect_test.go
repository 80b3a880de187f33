//go:build conformance

package main

import (
	"bytes"
	wire "encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestConnectConformance plays Connect's conformance tests, which speak Connect, gRPC and
// gRPC-Web, over HTTP/1.1 and HTTP/2, with TLS and without, through the proxy to their own
// reference server. For each combination the runner starts a server that it asks for in a
// message, and that tells its address: here a server with a proxy in front (behindProxy).
func TestConnectConformance(t *testing.T) {
	const version = "v1.0.7"
	runner := install(t, "connectrpc.com/conformance/cmd/connectconformance", version)
	server := install(t, "connectrpc.com/conformance/cmd/referenceserver", version)
	features := filepath.Join(t.TempDir(), "features.yaml")
	text := `features:
  versions: [HTTP_VERSION_1, HTTP_VERSION_2]
  protocols: [PROTOCOL_CONNECT, PROTOCOL_GRPC, PROTOCOL_GRPC_WEB]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY]
  supportsTlsClientCerts: true
  supportsHalfDuplexBidiOverHttp1: true
`
	if err := os.WriteFile(features, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), runner, "--mode", "server", "--conf", features, "--max-servers", "2", "--parallel", "4", "--", self)
	c.Env = append(os.Environ(), "EVENKEEL_CONFORMANCE_PROXY="+binary, "EVENKEEL_CONFORMANCE_SERVER="+server)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, end, ok := strings.Cut(string(out), "Total cases:"); ok {
		t.Log("cases:", strings.TrimSpace(end))
	} else {
		t.Errorf("got no count of cases:\n%s", out)
	}
}

func init() {
	proxy, server := os.Getenv("EVENKEEL_CONFORMANCE_PROXY"), os.Getenv("EVENKEEL_CONFORMANCE_SERVER")
	if proxy == "" {
		return
	}
	if err := behindProxy(proxy, server); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// behindProxy is the program that the runner starts: it reads what server is asked for,
// starts it without TLS, and a proxy with what TLS was asked for in front of it, and tells
// the proxy's address. It ends when it is told to.
func behindProxy(proxy, server string) error {
	asked, err := readMessage(os.Stdin)
	if err != nil {
		return err
	}
	const ( // of connectrpc.conformance.v1.ServerCompatRequest
		protocol, version, withTLS, clientCA, limit, credentials = 1, 2, 4, 5, 6, 7
		http2                                                    = 2
	)
	origin := exec.Command(server)
	origin.Stderr = os.Stderr
	said, err := ask(origin, message{protocol: asked[protocol], version: asked[version], limit: asked[limit]})
	if err != nil {
		return err
	}
	defer origin.Process.Kill()

	folder, err := os.MkdirTemp("", "evenkeel")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	own, err := readFields([]byte(asked.text(credentials)))
	if err != nil {
		return err
	}
	protection := ""
	if asked.number(withTLS) != 0 {
		protection = fmt.Sprintf(", tls: {cert_file: %q, key_file: %q", folder+"/cert", folder+"/key")
		if asked.text(clientCA) != "" {
			protection += fmt.Sprintf(", client_ca_file: %q, client_auth: required", folder+"/ca")
		}
		protection += "}"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().(*net.TCPAddr)
	l.Close()
	speaks := "http1"
	if asked.number(version) == http2 {
		speaks = "h2"
	}
	text := fmt.Sprintf(`version: 1
listeners: [{address: %q%s}]
admin: {enabled: false}
pools: [{name: web, protocol: %s, breaker: {enabled: false}, endpoints: ["http://%s:%d"]}]
`, address, protection, speaks, said.text(1), said.number(2))
	for name, content := range map[string]string{"cert": own.text(1), "key": own.text(2), "ca": asked.text(clientCA), "evenkeel.yaml": text} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	front := exec.Command(proxy, "run", "-c", filepath.Join(folder, "evenkeel.yaml"))
	log, err := front.StderrPipe()
	if err != nil {
		return err
	}
	if err := front.Start(); err != nil {
		return err
	}
	defer front.Process.Kill()
	if err := heard(log, `"ready"`); err != nil {
		return err
	}
	go io.Copy(io.Discard, log)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, os.Interrupt)
	answer := message{1: "127.0.0.1", 2: uint64(address.Port)}
	if asked.number(withTLS) != 0 {
		answer[3] = own.text(1)
	}
	if err := writeMessage(os.Stdout, answer); err != nil {
		return err
	}
	<-told
	return nil
}

// ask starts a program, asks it a message and returns what it answers.
func ask(c *exec.Cmd, m message) (message, error) {
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	if err := writeMessage(in, m); err != nil {
		return nil, err
	}
	return readMessage(out)
}

// heard reads until a text has come.
func heard(r io.Reader, text string) error {
	var all []byte
	b := make([]byte, 4<<10)
	for !bytes.Contains(all, []byte(text)) {
		n, err := r.Read(b)
		if all = append(all, b[:n]...); err != nil {
			return fmt.Errorf("%w, after %q", err, all)
		}
	}
	return nil
}

// message is a message of Protocol Buffers, as far as it is needed: the fields by their
// number, each a uint64 or a string.
type message map[uint64]any

func (m message) number(field uint64) uint64 {
	n, _ := m[field].(uint64)
	return n
}

func (m message) text(field uint64) string {
	s, _ := m[field].(string)
	return s
}

func readMessage(r io.Reader) (message, error) {
	var n uint32
	if err := wire.Read(r, wire.BigEndian, &n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return readFields(b)
}

func readFields(b []byte) (message, error) {
	m := message{}
	for len(b) > 0 {
		key, k := wire.Uvarint(b)
		if k <= 0 {
			return nil, io.ErrUnexpectedEOF
		}
		b = b[k:]
		n, k := wire.Uvarint(b)
		switch {
		case k <= 0 || key&7 == 2 && n > uint64(len(b)-k):
			return nil, io.ErrUnexpectedEOF
		case key&7 == 0:
			m[key>>3] = n
		case key&7 == 2:
			m[key>>3] = string(b[k : k+int(n)])
			k += int(n)
		default:
			return nil, fmt.Errorf("a field of kind %d", key&7)
		}
		b = b[k:]
	}
	return m, nil
}

func writeMessage(w io.Writer, m message) error {
	var b []byte
	for field, value := range m {
		switch value := value.(type) {
		case uint64:
			b = wire.AppendUvarint(wire.AppendUvarint(b, field<<3), value)
		case string:
			b = append(wire.AppendUvarint(wire.AppendUvarint(b, field<<3|2), uint64(len(value))), value...)
		}
	}
	_, err := w.Write(append(wire.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}
