package proxy_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/evenkeel/evenkeel/core/config"
)

// held is a connection that another one may follow when it is closed.
type held struct {
	net.Conn
	leave func()
}

func (h *held) Close() error {
	defer h.leave()
	return h.Conn.Close()
}

// What has been answered is not sent again. An answer without a body is handed over when its
// connection may be another request's already: here there is one at a time, and all wait for
// it.
func TestNothingIsSentTwice(t *testing.T) {
	const clients, each = 8, 25
	b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	over, place := newGate(t), make(chan struct{}, 1)
	transport := newTransport(t, config.Timeouts{})
	dial := transport.Dial
	transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case place <- struct{}{}:
		case <-over.open:
			return nil, net.ErrClosed
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &held{conn, sync.OnceFunc(func() { <-place })}, nil
	}
	g := newRig(t, plan{endpoints: urls(b), transport: transport})
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			for range each {
				answer, err := g.Client.Do(g.request(t, http.MethodPost, "/", strings.NewReader("order")))
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusNoContent {
					t.Errorf("status: got %d, want 204", answer.StatusCode)
				}
			}
		})
	}
	asking.Wait()
	wantCount(t, "requests at the backend", b.requests.Load(), clients*each)
	wantCount(t, "connections", b.connections.Load(), 1)
}
