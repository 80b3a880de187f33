package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

func TestWhatIsACall(t *testing.T) {
	for _, tt := range []struct {
		major int
		types []string
		want  bool
	}{
		{2, []string{"application/grpc"}, true},
		{2, []string{"application/grpc+proto"}, true},
		{2, []string{"application/grpc;x=y"}, true},
		{1, []string{"application/grpc"}, false},
		{2, nil, false},
		{2, []string{"application/grpc", "application/grpc"}, false},
		{2, []string{"application/grpc", "text/plain"}, false},
		{2, []string{"application/grpc-web"}, false},
		{2, []string{"application/grpcx"}, false},
		{2, []string{"text/plain"}, false},
	} {
		r := &http.Request{ProtoMajor: tt.major, Header: http.Header{"Content-Type": tt.types}}
		if got := isGRPC(r); got != tt.want {
			t.Errorf("HTTP/%d %q: got %v", tt.major, tt.types, got)
		}
	}
}

// Deadlines are what the protocol has: up to eight digits and a unit.
func TestDeadlinesOfGRPC(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "4m": 4 * time.Millisecond,
		"5u": 5 * time.Microsecond, "6n": 6, "0n": 0, "00000007S": 7 * time.Second, "99999999n": 99_999_999,
		"8760H": maxCall, "8761H": maxCall, "99999999H": maxCall, // no instant overflows
	} {
		if got, ok := grpcTimeout(http.Header{grpcTimeoutHeader: {text}}); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "1", "S", "1s", "-1S", "+1S", "1.5S", " 1S", "1S ", "0x1S", "100000000n", "000000007S"} {
		if got, ok := grpcTimeout(http.Header{grpcTimeoutHeader: {text}}); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

// A call's own deadline holds where the pool has none, or a longer one.
func TestPolicyOfCalls(t *testing.T) {
	for _, tt := range []struct {
		pool time.Duration
		call string
		want time.Duration
	}{
		{time.Minute, "1S", time.Second}, {time.Second, "1M", time.Second}, {0, "1S", time.Second},
		{time.Minute, "0S", 1}, {0, "0n", 1}, // over at once, and not without end
		{time.Minute, "", 0}, {0, "", 0}, {time.Minute, "1", 0},
	} {
		pool := &core.Policy{Total: tt.pool, Attempts: 2}
		got := callPolicy(pool, http.Header{grpcTimeoutHeader: {tt.call}})
		if got.Total != tt.want || got.Attempts != 2 || pool.Total != tt.pool {
			t.Errorf("%v, %q: got %v, want %v; the pool's is %v", tt.pool, tt.call, got.Total, tt.want, pool.Total)
		}
	}
}

// What an endpoint asks for with its code is heard, and what it asks for without one is not.
func TestPushback(t *testing.T) {
	for _, tt := range []struct {
		code, after string
		want        core.Sample
	}{
		{"14", "", core.Sample{Outcome: core.ServerError}},
		{"14", "70000", core.Sample{Outcome: core.Throttled, RetryAfter: 70 * time.Second}},
		{"8", "5", core.Sample{Outcome: core.Throttled, RetryAfter: 5 * time.Millisecond}},
		{"0", "5", core.Sample{Outcome: core.Success, RetryAfter: 5 * time.Millisecond}},
		{"14", "-1", core.Sample{Outcome: core.ServerError}}, // not to be tried again, which it is not anyway
		{"14", "99999999999999999999", core.Sample{Outcome: core.ServerError}},
		{"17", "", core.Sample{Outcome: core.ServerError}}, // UNKNOWN
		{"256", "", core.Sample{Outcome: core.ServerError}},
		{"+0", "", core.Sample{Outcome: core.ServerError}},
	} {
		var got core.Sample
		if !learnGRPC(&got, http.Header{grpcStatusHeader: {tt.code}, grpcPushbackHeader: {tt.after}}) || got != tt.want {
			t.Errorf("%s, %q: got %+v, want %+v", tt.code, tt.after, got, tt.want)
		}
	}
	got := core.Sample{Outcome: core.Success}
	if learnGRPC(&got, http.Header{grpcPushbackHeader: {"5"}}) || got != (core.Sample{Outcome: core.Success}) {
		t.Errorf("without a code: got %+v", got)
	}
}

// The end of an answer has the last word: its trailer, or its head where that had the code.
func TestConclusions(t *testing.T) {
	throttled := core.Sample{Outcome: core.Throttled}
	call := http.Header{"Content-Type": {"application/grpc"}}
	coded := http.Header{"Content-Type": {"application/grpc"}, grpcStatusHeader: {"8"}}
	for name, tt := range map[string]struct {
		answer http.Response
		want   core.Outcome
	}{
		"in the trailer":  {http.Response{StatusCode: 200, Header: call, Trailer: http.Header{grpcStatusHeader: {"0"}}}, core.Success},
		"in the head":     {http.Response{StatusCode: 200, Header: coded}, core.Throttled},
		"nowhere":         {http.Response{StatusCode: 200, Header: call}, core.ServerError},
		"another status":  {http.Response{StatusCode: 503, Header: call, Trailer: http.Header{grpcStatusHeader: {"0"}}}, core.Throttled},
		"no call, though": {http.Response{StatusCode: 200, Trailer: http.Header{grpcStatusHeader: {"0"}}}, core.Throttled},
	} {
		if got := conclude(&tt.answer, throttled); got.Outcome != tt.want {
			t.Errorf("%s: got %v, want %v", name, got.Outcome, tt.want)
		}
	}
}

// An answer that breaks off ends with a code for whoever is still there.
func TestCallsThatBreakOff(t *testing.T) {
	over, end := context.WithCancelCause(t.Context())
	end(errLate)
	left, leave := context.WithCancel(t.Context())
	leave()
	lost := errors.New("lost")
	for name, tt := range map[string]struct {
		err          error
		client, late context.Context
		want         error
		code         string
	}{
		"amid it":             {nil, t.Context(), t.Context(), nil, ""},
		"complete":            {io.EOF, t.Context(), t.Context(), io.EOF, ""},
		"lost":                {lost, t.Context(), t.Context(), io.EOF, "14"},
		"its time is over":    {lost, t.Context(), over, io.EOF, "4"},
		"the client has left": {lost, left, t.Context(), lost, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := &http.Response{}
			b := &callBody{io.NopCloser(iotest.ErrReader(tt.err)), answer, &exchange{client: tt.client, timing: timing{late: tt.late}}}
			if _, err := b.Read(make([]byte, 1)); err != tt.want || answer.Trailer.Get(grpcStatusHeader) != tt.code {
				t.Errorf("got %v, trailer %v; want %v, code %q", err, answer.Trailer, tt.want, tt.code)
			}
		})
	}
}

// Each status that the proxy answers with has a code, and is what metrics count.
func TestRefusedCalls(t *testing.T) {
	for status, code := range map[int]string{
		400: "13", 500: "13", 401: "16", 403: "7", 404: "12", 413: "8", 431: "8",
		429: "14", 502: "14", 503: "14", 408: "4", 504: "4", 405: "2",
	} {
		w := httptest.NewRecorder()
		out := &response{ResponseWriter: w, request: httptest.NewRequest(http.MethodPost, "/", nil)}
		out.Header().Set("Retry-After", "2")
		out.refuseCall(status, "why")
		h := w.Result().Header
		if w.Code != 200 || out.status != status || h.Get(grpcStatusHeader) != code || h.Get(grpcPushbackHeader) != "2000" {
			t.Errorf("%d: got %d with %v, counted as %d; want code %s", status, w.Code, h, out.status, code)
		}
	}
}

// A refusal is of the kind that the call is: there are clients that take no other.
func TestKindOfRefusedCalls(t *testing.T) {
	for asked, want := range map[string]string{
		"application/grpc": "application/grpc", "application/grpc+json": "application/grpc+json", "application/grpc+proto;x=y": "application/grpc+proto",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.ProtoMajor = 2
		r.Header.Set("Content-Type", asked)
		w := httptest.NewRecorder()
		(&response{ResponseWriter: w, request: r}).refuse(503, "why")
		if got := w.Result().Header.Get("Content-Type"); got != want {
			t.Errorf("%s: got %s, want %s", asked, got, want)
		}
	}
}

// framedHealth is an answer to a check in its frame.
func framedHealth(message string) []byte {
	return append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
}

func TestHealthAnswers(t *testing.T) {
	for message, want := range map[string]uint64{
		"": 0, "\x08\x01": 1, "\x08\x02": 2, "\x08\x01\x08\x02": 2, // the last one counts
		"\x1a\x02ab\x08\x01": 1, "\x08\x01\x1a\x02ab": 1, "\x08\x01\x10\x03": 1, "\x08\x81\x01": 129, "\x1a\x00": 0,
	} {
		if got, err := healthAnswer(framedHealth(message)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", message, got, err, want)
		}
	}
	for _, framed := range []string{
		"", "\x00\x00\x00\x00", "\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00x", "\x00\x00\x00\x00\x03\x08\x01",
		"\x01\x00\x00\x00\x02\x08\x01", // compressed
		string(framedHealth("\x08")), string(framedHealth("\x1a\x03ab")), string(framedHealth("\x80")),
		string(framedHealth("\x09\x01")), string(framedHealth("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
	} {
		if got, err := healthAnswer([]byte(framed)); !errors.Is(err, errHealthAnswer) || got != 0 {
			t.Errorf("%q: got %d, %v, want an error", framed, got, err)
		}
	}
}

// Whatever an endpoint says, reading it ends, and well only for a whole frame.
func FuzzHealthAnswer(f *testing.F) {
	for _, message := range []string{"", "\x08\x01", "\x1a\x02ab\x08\x01", "\x08", "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		f.Add(framedHealth(message))
	}
	f.Fuzz(func(t *testing.T, framed []byte) {
		status, err := healthAnswer(framed)
		if err != nil && status != 0 {
			t.Errorf("%q: got %d and %v", framed, status, err)
		}
		if whole := len(framed) >= 5 && framed[0] == 0 && int(framed[4]) == (len(framed)-5)&0xff; err == nil && !whole {
			t.Errorf("%q: taken for a frame", framed)
		}
	})
}

func TestHealthQuestions(t *testing.T) {
	for service, want := range map[string]string{
		"": "\x00\x00\x00\x00\x00", "shop": "\x00\x00\x00\x00\x06\x0a\x04shop",
	} {
		if got := string(healthQuestion(service)); got != want {
			t.Errorf("%q: got %q, want %q", service, got, want)
		}
	}
}

// endpoint is a Transport that answers for itself.
type endpoint func(*http.Request) (*http.Response, error)

func (e endpoint) RoundTrip(r *http.Request) (*http.Response, error) { return e(r) }

// A server is well when it says so and its call has ended well, and not otherwise.
func TestChecksByGRPC(t *testing.T) {
	serves, zero := string(framedHealth("\x08\x01")), http.Header{grpcStatusHeader: {"0"}}
	lost := errors.New("lost")
	for name, tt := range map[string]struct {
		status  int
		body    io.Reader
		trailer http.Header
		err     error
		well    bool
	}{
		"well":             {200, strings.NewReader(serves), zero, nil, true},
		"another status":   {503, strings.NewReader(serves), zero, nil, false},
		"no code":          {200, strings.NewReader(serves), nil, nil, false},
		"another code":     {200, strings.NewReader(serves), http.Header{grpcStatusHeader: {"14"}}, nil, false},
		"it breaks off":    {200, io.MultiReader(strings.NewReader(serves), iotest.ErrReader(lost)), zero, nil, false},
		"not serving":      {200, strings.NewReader(string(framedHealth("\x08\x02"))), zero, nil, false},
		"no answer at all": {0, nil, nil, lost, false},
	} {
		t.Run(name, func(t *testing.T) {
			var asked *http.Request
			pool := &Pool{Transport: endpoint(func(r *http.Request) (*http.Response, error) {
				asked = r
				if tt.err != nil {
					return nil, tt.err
				}
				return &http.Response{StatusCode: tt.status, Body: io.NopCloser(tt.body), Trailer: tt.trailer}, nil
			})}
			c := call{service: "shop", port: 90, timeout: 1500 * time.Millisecond}
			if _, well := c.ask(t.Context(), pool, &url.URL{Scheme: "https", Host: "a:443"}); well != tt.well {
				t.Errorf("well: got %v", well)
			}
			if got := asked.URL.String(); got != "https://a:90"+healthMethod || asked.Host != "a:443" || asked.Method != http.MethodPost {
				t.Errorf("asked: got %s %s of %s", asked.Method, got, asked.Host)
			}
			if got := asked.Header.Get(grpcTimeoutHeader); got != "1500m" {
				t.Errorf("deadline: got %s, want 1500m", got)
			}
		})
	}
}

// Where a check goes, and what it calls the host.
func TestAddressesOfChecks(t *testing.T) {
	for _, tt := range []struct {
		at            url.URL
		port          int
		address, host string
	}{
		{url.URL{Scheme: "http", Host: "a"}, 0, "a:80", "a"},
		{url.URL{Scheme: "https", Host: "a"}, 0, "a:443", "a"},
		{url.URL{Scheme: "https", Host: "a:8443"}, 0, "a:8443", "a:8443"},
		{url.URL{Scheme: "https", Host: "a"}, 90, "a:90", "a"},
		{url.URL{Scheme: "http", Host: "a:8080"}, 90, "a:90", "a:8080"},
		{url.URL{Scheme: "http", Host: "[::1]"}, 0, "[::1]:80", "[::1]"},
		{url.URL{Scheme: "http", Host: "[::1]:8080"}, 90, "[::1]:90", "[::1]:8080"},
		{url.URL{Scheme: "http", Host: "/run/app.sock"}, 0, "/run/app.sock:80", "localhost"},
	} {
		if got := addressOf(&tt.at, tt.port); got != tt.address {
			t.Errorf("%v with port %d: got %s, want %s", tt.at, tt.port, got, tt.address)
		}
		if got := hostOf("", &tt.at); got != tt.host {
			t.Errorf("host of %v: got %s, want %s", tt.at, got, tt.host)
		}
		if got := hostOf("shop", &tt.at); got != "shop" {
			t.Errorf("host that is set: got %s", got)
		}
	}
}
