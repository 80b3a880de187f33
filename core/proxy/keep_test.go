package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// source is a request's body that tells whether it was closed.
type source struct {
	io.Reader
	closed bool
}

func (s *source) Close() error {
	s.closed = true
	return nil
}

func uploadOf(text string) (*upload, *source) {
	s := &source{Reader: strings.NewReader(text)}
	out := &response{ResponseWriter: httptest.NewRecorder(), request: httptest.NewRequest(http.MethodPost, "/", nil)}
	return newUpload(s, out, 0), s
}

// A body is read from its beginning as often as it takes, while it fits.
func TestKeptBody(t *testing.T) {
	for name, tt := range map[string]struct {
		size, before int // of the body; read by the attempt before
		want         error
	}{
		"nothing read":        {10 * keepBytes, 0, nil},
		"a part read":         {10, 4, nil},
		"all read":            {10, 10, nil},
		"as much as is kept":  {keepBytes + 1, keepBytes, nil},
		"more than is kept":   {keepBytes + 1, keepBytes + 1, errNotKept},
		"much more than that": {3 * keepBytes, 2 * keepBytes, errNotKept},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("0123456789", tt.size/10+1)[:tt.size]
			u, _ := uploadOf(text)
			first, again := u.open()
			if got, err := io.ReadAll(io.LimitReader(first, int64(tt.before))); err != nil || string(got) != text[:tt.before] {
				t.Fatalf("first: got %d bytes, %v", len(got), err)
			}
			second, err := again()
			if !errors.Is(err, tt.want) || u.rewindable() != (tt.want == nil) {
				t.Fatalf("again: got %v, rewindable %v, want %v", err, u.rewindable(), tt.want)
			}
			if err != nil {
				if u.kept.data != nil {
					t.Errorf("kept though nobody can use it: %d bytes", len(u.kept.data))
				}
				return
			}
			if got, err := io.ReadAll(second); err != nil || string(got) != text {
				t.Errorf("second: got %d bytes, %v, want all %d", len(got), err, tt.size)
			}
			if got, err := first.Read(make([]byte, 1)); tt.size > keepBytes && err != errNotKept {
				t.Errorf("first, overtaken: got %d bytes, %v", got, err)
			}
		})
	}
}

// stumbling is a body that fails once, amid itself.
type stumbling struct{ readings int }

func (s *stumbling) Read(p []byte) (int, error) {
	s.readings++
	if s.readings == 2 {
		return 0, errStumbled
	}
	return copy(p, "part"), nil
}

func (*stumbling) Close() error { return nil }

var errStumbled = errors.New("stumbled")

// Where a body broke off it breaks off for every attempt: none gets what looks like the rest.
func TestKeptBodyThatBreaksOff(t *testing.T) {
	u, _ := uploadOf("")
	u.ReadCloser = &stumbling{}
	first, again := u.open()
	for attempt := range 2 {
		if got, err := io.ReadAll(first); string(got) != "part" || err != errStumbled {
			t.Errorf("attempt %d: got %q, %v, want a part", attempt, got, err)
		}
		next, err := again()
		if err != nil {
			t.Fatal(err)
		}
		first = next
	}
}

// The body is closed when its last reader has done so and the endpoint has answered; what
// attempts that have failed do with it is nothing to it.
func TestKeptBodyIsClosedOnce(t *testing.T) {
	u, s := uploadOf("x")
	first, again := u.open()
	first.Close()
	second, err := again()
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	u.settle()
	if s.closed {
		t.Error("closed by an attempt that has failed")
	}
	second.Close()
	if !s.closed {
		t.Error("not closed by the one that was answered")
	}
	u, s = uploadOf("x")
	only, _ := u.open()
	only.Close()
	if s.closed {
		t.Error("closed while it may be sent again")
	}
	u.settle()
	if !s.closed {
		t.Error("not closed though nobody needs it any more")
	}
}
