package proxy

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
)

// unread is a client's connection that takes everything at once.
type unread struct{ header http.Header }

func (u unread) Header() http.Header         { return u.header }
func (u unread) WriteHeader(int)             {}
func (u unread) Write(b []byte) (int, error) { return len(b), nil }

// Whoever writes a long answer to a client whose socket takes all of it lets others have
// their turns meanwhile.
func TestLongAnswersTakeTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := &response{ResponseWriter: unread{http.Header{}}, request: httptest.NewRequest(http.MethodGet, "/", nil)}
	var other atomic.Bool
	end := make(chan struct{})
	go func() {
		defer close(end)
		other.Store(true)
	}()
	if _, err := w.Write(make([]byte, turn)); err != nil {
		t.Fatal(err)
	}
	if !other.Load() {
		t.Error("nobody else has had a turn")
	}
	<-end
}

// BenchmarkTurns is the writing of a MiB to whoever takes it at once.
func BenchmarkTurns(b *testing.B) {
	w := &response{ResponseWriter: unread{http.Header{}}, request: httptest.NewRequest(http.MethodGet, "/", nil)}
	piece := make([]byte, bufferSize)
	b.SetBytes(1 << 20)
	for b.Loop() {
		for range (1 << 20) / bufferSize {
			if _, err := w.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
	}
}
