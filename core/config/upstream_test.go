package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUpstreamRules(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.pem")
	pool := func(endpoint, rest string) string {
		return fmt.Sprintf("version: 1\npools:\n- name: a\n  endpoints: [%s]\n%s", endpoint, rest)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"protocol":            {pool("http://h", "  protocol: h2"), ""},
		"unknown protocol":    {pool("http://h", "  protocol: h2c"), `5:13: pools[0].protocol: unknown protocol "h2c": did you mean "h2"?`},
		"tls":                 {pool("https://h", "  tls: {server_name: a.example, min_version: 1.3}"), ""},
		"version in quotes":   {pool("https://h", `  tls: {min_version: "1.2"}`), ""},
		"old version":         {pool("https://h", "  tls: {min_version: 1.1}"), `5:22: pools[0].tls.min_version: 1.1: expected 1.2 or 1.3`},
		"no TLS there":        {pool("http://h", "  tls: {}"), `5:8: pools[0].tls: no endpoint of this pool is https://`},
		"server name":         {pool("https://h", "  tls: {server_name: 'a b'}"), `5:22: pools[0].tls.server_name: expected a host name, such as example.com, found "a b"`},
		"missing authority":   {pool("https://h", "  tls: {ca_file: "+missing+"}"), "5:18: pools[0].tls.ca_file: cannot read " + missing + ": no such file or directory"},
		"empty authority":     {pool("https://h", "  tls: {ca_file: "+empty+"}"), "5:18: pools[0].tls.ca_file: expected certificates in PEM, found none in " + empty},
		"certificate alone":   {pool("https://h", "  tls: {cert_file: "+empty+"}"), "5:20: pools[0].tls.cert_file: expected a key_file, too"},
		"key alone":           {pool("https://h", "  tls: {key_file: "+empty+"}"), "5:19: pools[0].tls.key_file: expected a cert_file, too"},
		"missing certificate": {pool("https://h", "  tls: {cert_file: "+missing+", key_file: "+empty+"}"), "5:20: pools[0].tls.cert_file: cannot read " + missing + ": no such file or directory"},
		"missing key":         {pool("https://h", "  tls: {key_file: "+missing+", cert_file: "+empty+"}"), "5:19: pools[0].tls.key_file: cannot read " + missing + ": no such file or directory"},
		"no certificate":      {pool("https://h", "  tls: {cert_file: "+empty+", key_file: "+empty+"}"), "5:20: pools[0].tls.cert_file: expected a certificate and its key in " + empty + " and " + empty + ": tls: failed to find any PEM data in certificate input"},
		"anybody, but":        {pool("https://h", "  tls: {ca_file: "+empty+", insecure_skip_verify: true}"), "5:18: pools[0].tls.ca_file: expected certificates in PEM, found none in " + empty + "\n5:" + fmt.Sprint(18+len(empty)+24) + ": pools[0].tls.insecure_skip_verify: does not go with ca_file: either the certificates are verified, or they are not"},

		"socket":              {pool("unix:///run/app.sock", ""), ""},
		"socket without":      {pool("unix://", ""), `4:15: pools[0].endpoints[0].url: "unix://": expected an absolute path, as in unix:///run/app.sock`},
		"socket of a host":    {pool("unix://run/app.sock", ""), `4:15: pools[0].endpoints[0].url: "unix://run/app.sock": expected an absolute path, as in unix:///run/app.sock`},
		"relative socket":     {pool("unix:app.sock", ""), `4:15: pools[0].endpoints[0].url: "unix:app.sock": expected an absolute path, as in unix:///run/app.sock`},
		"socket and query":    {pool("'unix:///run/app.sock?a'", ""), `4:15: pools[0].endpoints[0].url: "unix:///run/app.sock?a": expected an absolute path, as in unix:///run/app.sock, without a query or a fragment`},
		"socket and colon":    {pool("'unix:///run/a:b'", ""), `4:15: pools[0].endpoints[0].url: "unix:///run/a:b": expected a path of plain characters`},
		"long socket":         {pool("unix:///"+strings.Repeat("a", 103), ""), `4:15: pools[0].endpoints[0].url: "unix:///` + strings.Repeat("a", 103) + `": expected a path of at most 103 bytes, the room that the system has for it`},
		"socket twice":        {pool("unix:///a, unix:///a", ""), `4:26: pools[0].endpoints[1].url: "unix:///a": /a is the address of endpoints[0] already`},
		"socket's port":       {pool("unix:///a", "  health: {port: 80}"), `5:18: pools[0].health.port: an endpoint that is a socket has no port`},
		"gRPC check":          {pool("http://h", "  protocol: h2\n  health: grpc"), ""},
		"gRPC check by TLS":   {pool("https://h", "  health: grpc"), ""},
		"gRPC check by none":  {pool("http://h", "  health: grpc"), `5:11: pools[0].health.kind: grpc needs HTTP/2: expected protocol: h2 in this pool`},
		"gRPC check by http1": {pool("https://h", "  protocol: http1\n  health: grpc"), `6:11: pools[0].health.kind: grpc needs HTTP/2: expected protocol: h2 in this pool`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text))
			got := ""
			if err != nil {
				got = strings.ReplaceAll(strings.TrimPrefix(err.Error(), "f:"), "\nf:", "\n")
			}
			if got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	for url, want := range map[string]string{
		"http://H": "tcp h:80 false", "https://h": "tcp h:443 true", "http://[::1]:9": "tcp [::1]:9 false",
		"unix:///run/App.sock": "unix /run/App.sock false",
	} {
		network, address, secure := Endpoint{URL: url}.Address()
		if got := fmt.Sprint(network, " ", address, " ", secure); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
	if got := (Endpoint{URL: "unix:///run/App.sock"}).Key(); got != "/run/App.sock" {
		t.Errorf("key of a socket: got %s", got)
	}
}

// What is printed of a check is read as the same again.
func TestHealthPrinted(t *testing.T) {
	for _, health := range []string{"tcp", "{kind: grpc, service: a.B, port: 9}", "{status: 200, host: 'h:1'}", "{}"} {
		f, err := Parse("f", []byte("version: 1\npools: [{name: a, protocol: h2, endpoints: [http://h], health: "+health+"}]"))
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, f)
	}
}
