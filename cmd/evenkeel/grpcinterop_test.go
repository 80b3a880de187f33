//go:build conformance

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/evenkeel/evenkeel/core/witness"
)

// interopCases are those of the client's cases that the server can be asked without
// credentials of a cloud. pick_first_unary is not among them: it wants the server's name,
// which this server does not tell, without a proxy neither.
var interopCases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
	"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
	"status_code_and_message", "special_status_message", "custom_metadata",
	"unimplemented_method", "unimplemented_service", "orca_per_rpc", "orca_oob",
	"rpc_soak", "channel_soak",
}

// TestGRPCInterop plays gRPC's interoperability tests through the proxy: over h2c in and out,
// and over TLS in and out. The server is checked by gRPC, too, where that can be seen.
func TestGRPCInterop(t *testing.T) {
	const version = "v1.85.0"
	client := install(t, "google.golang.org/grpc/interop/client", version)
	server := install(t, "google.golang.org/grpc/interop/server", version)
	cert, key := selfSigned(t)
	plain, secure := freePort(t), freePort(t)
	background(t, server, "-port", plain)
	background(t, server, "-port", secure, "-use_tls", "-tls_cert_file", cert, "-tls_key_file", key)
	file := filepath.Join(t.TempDir(), "evenkeel.yaml")
	text := fmt.Sprintf(`version: 1
listeners:
  - 127.0.0.1:0
  - {address: 127.0.0.1:0, tls: {cert_file: %[3]q, key_file: %[4]q}}
admin: {enabled: false}
pools:
  - {name: plain, protocol: h2, endpoints: ["http://127.0.0.1:%[1]s"], health: {kind: tcp}}
  - {name: secure, endpoints: ["https://127.0.0.1:%[2]s"], tls: {ca_file: %[3]q, server_name: localhost}}
routes:
  - {pool: plain}
  - {pool: secure, hosts: [localhost]}
`, plain, secure, cert, key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := launch(t, "run", "-c", file).ready(t)
	for i, name := range []string{"h2c", "TLS"} {
		host, port, err := net.SplitHostPort(proxy.listeners(t)[i])
		if err != nil {
			t.Fatal(err)
		}
		args := []string{
			"-server_host", host, "-server_port", port, "-soak_iterations", "100", "-soak_overall_timeout_seconds", "20",
			"-service_config_json", `{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`, // for orca_*
		}
		if name == "TLS" {
			args = append(args, "-use_tls", "-use_test_ca", "-ca_file", cert, "-server_host_override", "localhost")
		}
		for _, test := range interopCases {
			t.Run(name+"/"+test, func(t *testing.T) {
				out, err := exec.CommandContext(t.Context(), client, append(args, "-test_case", test)...).CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// freePort is a port of this machine that nobody has, or had a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// background starts a program that listens on the port that is its second argument, and
// waits until it does. It is killed at the end of the test.
func background(t *testing.T, program string, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	witness.Eventually(t, program+" listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+args[1])
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}
