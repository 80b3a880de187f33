package config

import (
	"strings"
	"testing"
)

// The rules of a listener, one step each: a file that breaks only it, and the whole message.
func TestListenerRules(t *testing.T) {
	listener := func(s string) string { return minimal + "listeners: [{address: ':1', " + s + "}]" }
	long := "unix:/" + strings.Repeat("x", maxSocketPath)
	for _, test := range []struct{ name, text, want string }{
		{"unix", minimal + `listeners: ["unix:/run/a.sock"]`, ``},
		{"unix, longest", minimal + `listeners: ["` + long[:len(long)-1] + `"]`, ``},
		{"unix, too long", minimal + `listeners: ["` + long + `"]`, `3:13: listeners[0].address: expected a path of at most 103 bytes after unix:, found 104`},
		{"unix, relative", minimal + `listeners: ["unix:a.sock"]`, `3:13: listeners[0].address: expected the absolute path of a file after unix:, such as unix:/run/evenkeel.sock, found "unix:a.sock"`},
		{"unix, a folder", minimal + `listeners: ["unix:/run/"]`, `3:13: listeners[0].address: expected the absolute path of a file after unix:, such as unix:/run/evenkeel.sock, found "unix:/run/"`},
		{"unix twice", minimal + `listeners: ["unix:/a", "unix:/a"]`, `3:24: listeners[1].address: "unix:/a" is the address of listeners[0].address already`},
		{"unix for the admin", minimal + `admin: {address: "unix:/a"}`, `3:18: admin.address: expected a port from 0 to 65535 after the colon, found "unix:/a"`},
		{"mode", minimal + `listeners: [{address: "unix:/a", socket_mode: "660"}]`, ``},
		{"mode, odd", minimal + `listeners: [{address: "unix:/a", socket_mode: "0680"}]`, `3:47: listeners[0].socket_mode: expected a mode in octal digits, such as "0660", found "0680"`},
		{"mode of what is no socket", listener(`socket_mode: "0660"`), `3:42: listeners[0].socket_mode: :1 is no Unix socket and has no mode: only unix: has`},
		{"connections", listener("max_connections: -1"), `3:46: listeners[0].max_connections: expected a number from 0 to 1000000, found -1`},
		{"connections of a client", listener("max_connections_per_client: 1000001"), `3:57: listeners[0].max_connections_per_client: expected a number from 0 to 1000000, found 1000001`},
		{"nobody's PROXY header", listener("proxy_protocol: {from: []}"), `3:52: listeners[0].proxy_protocol.from: expected at least one address range`},
		{"whose PROXY header", listener("proxy_protocol: {}"), `3:45: listeners[0].proxy_protocol.from: required, but not given`},
		{"PROXY range", listener("proxy_protocol: {from: [10.0.0.1/8]}"), `3:53: listeners[0].proxy_protocol.from[0]: 10.0.0.1/8 has bits set beyond its length: expected 10.0.0.0/8`},
		{"streams", listener("http2: {max_concurrent_streams: 0}"), `3:61: listeners[0].http2.max_concurrent_streams: expected a number from 1 to 10000, found 0`},
		{"frames", listener("http2: {max_frame_bytes: 16383}"), `3:54: listeners[0].http2.max_frame_bytes: expected a number from 16384 to 16777215, found 16383`},
		{"large frames", listener("http2: {max_frame_bytes: 16777215}"), ``},
		{"connection's window", listener("http2: {connection_window_bytes: 65535}"), `3:62: listeners[0].http2.connection_window_bytes: expected a number from 65536 to 4194303, found 65535`},
		{"stream's window", listener("http2: {stream_window_bytes: 4194304}"), `3:58: listeners[0].http2.stream_window_bytes: expected a number from 16384 to 4194303, found 4194304`},
		{"resets", listener("http2: {resets_per_second: 0}"), `3:56: listeners[0].http2.resets_per_second: expected a number from 1 to 1000000, found 0`},
		{"control frames", listener("http2: {control_frames_per_second: 1000001}"), `3:64: listeners[0].http2.control_frames_per_second: expected a number from 1 to 1000000, found 1000001`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("f", []byte(test.text))
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "f:")
			}
			if got != test.want {
				t.Errorf("%s\ngot  %s\nwant %s", test.text, got, test.want)
			}
		})
	}
}

func TestMode(t *testing.T) {
	for text, want := range map[string]uint32{"": 0, "0660": 0o660, "777": 0o777} {
		if got := (&Listener{SocketMode: text}).Mode(); uint32(got) != want {
			t.Errorf("%q: got %o, want %o", text, got, want)
		}
	}
}
