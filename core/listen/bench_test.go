package listen

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/flood"
)

// BenchmarkRequest is a request on a connection that is kept, to a server on the socket
// itself and on a Listener around it: the difference is what a Listener costs.
func BenchmarkRequest(b *testing.B) {
	for _, h2 := range []bool{false, true} {
		for _, ours := range []bool{false, true} {
			b.Run(map[bool]string{false: "HTTP1", true: "HTTP2"}[h2]+"/"+map[bool]string{false: "socket", true: "listener"}[ours], func(b *testing.B) {
				benchmark(b, h2, ours)
			})
		}
	}
}

func benchmark(b *testing.B, h2, ours bool) {
	socket, err := Open("127.0.0.1:0", 0)
	if err != nil {
		b.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetUnencryptedHTTP2(h2)
	s := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "an answer") })}
	var l net.Listener = socket
	if ours {
		budget, err := flood.NewBudget(100, 1000)
		if err != nil {
			b.Fatal(err)
		}
		epoch := time.Now()
		around := New(socket, Options{
			Slots: NewSlots(1000), Budget: budget, Meter: &tally{}, Log: slog.New(slog.DiscardHandler),
			Now: func() core.Instant { return core.Instant(time.Since(epoch)) },
		})
		around.Attach(s)
		l = around
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	defer func() {
		s.Close()
		<-ended
	}()
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	b.ReportAllocs()
	for b.Loop() {
		answer, err := client.Get("http://" + socket.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}
