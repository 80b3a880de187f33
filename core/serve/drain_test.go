package serve_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/serve"
	"github.com/evenkeel/evenkeel/core/witness"
)

// held is a backend whose requests are answered when they are let go, or cut off.
func held(t *testing.T) (url string, arrived chan struct{}, let func()) {
	at, on := make(chan struct{}, 10), make(chan struct{})
	url = backend(t, func(w http.ResponseWriter, r *http.Request) {
		at <- struct{}{}
		select {
		case <-on:
			io.WriteString(w, "complete")
		case <-r.Context().Done():
		}
	})
	return url, at, func() { close(on) }
}

func TestStopDrains(t *testing.T) {
	url, arrived, let := held(t)
	s := start(t, parse(t, url, "", "", ""))
	public := s.Addresses()[0]
	s.get(s.admin()+"/readyz").want(t, "readyz before", 200, "ok")
	inProgress := s.ask(s.public())
	witness.Await(t, "request at the backend", arrived)

	s.stop()
	witness.Eventually(t, "new connections are refused", func() bool { return refused(public) })
	s.get(s.admin()+"/readyz").want(t, "readyz while draining", 503, "draining")
	s.get(s.admin()+"/healthz").want(t, "healthz while draining", 200, "ok")
	select {
	case err := <-s.done:
		t.Fatalf("end of the server with a request in progress: got %v, want it to wait", err)
	default:
	}
	let()
	witness.Await(t, "answer of the request in progress", inProgress).want(t, "request in progress", 200, "complete")
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
	if !refused(s.AdminAddress()) {
		t.Error("admin listener after the end: got a connection, want none")
	}
}

// A connection that waits for its next request does not hold the drain up; one that
// comes back meanwhile is told to close.
func TestDrainEndsIdleConnections(t *testing.T) {
	s := start(t, parse(t, backend(t, func(http.ResponseWriter, *http.Request) {}), "", "", ""))
	c := witness.Dial(t, "tcp", s.Addresses()[0])
	in := bufio.NewReader(c)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 200 || answer.Close {
		t.Fatalf("answer: got %v, %v, want 200 on a connection that is kept", answer, err)
	}
	s.stop()
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("idle connection after the stop: got %v, want the end", err)
	}
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
}

func TestKillCutsTheDrainShort(t *testing.T) {
	url, arrived, _ := held(t)
	s := start(t, parse(t, url, "", "", ""))
	inProgress := s.ask(s.public())
	witness.Await(t, "request at the backend", arrived)
	s.stop()
	witness.Eventually(t, "draining", func() bool { return s.get(s.admin()+"/readyz").status == 503 })
	s.kill()
	if err := witness.Await(t, "end of the server", s.done); !errors.Is(err, serve.ErrCut) {
		t.Errorf("end of the server: got %v, want %v", err, serve.ErrCut)
	}
	if got := witness.Await(t, "request in progress", inProgress); got.err == nil {
		t.Errorf("request in progress: got %d %q, want it cut off", got.status, got.body)
	}
}

// What is left when the time is over is cut off; that was asked for, so it is no error.
func TestDrainTimeoutCuts(t *testing.T) {
	url, arrived, _ := held(t)
	s := start(t, parse(t, url, "", "drain: {timeout: 20ms}", ""))
	inProgress := s.ask(s.public())
	witness.Await(t, "request at the backend", arrived)
	s.stop()
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
	if got := witness.Await(t, "request in progress", inProgress); got.err == nil {
		t.Errorf("request in progress: got %d %q, want it cut off", got.status, got.body)
	}
}

// tunnel is a client at the end of an upgraded connection.
func tunnel(t *testing.T, s *server) (net.Conn, *bufio.Reader) {
	t.Helper()
	c := witness.Dial(t, "tcp", s.Addresses()[0])
	in := bufio.NewReader(c)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 101 {
		t.Fatalf("answer: got %v, %v, want 101", answer, err)
	}
	return c, in
}

// echo is a backend that sends back what comes through a tunnel; left hears of its end.
func echo(left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		defer close(left)
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(conn, buffer)
	}
}

// A tunnel is a request in progress: the end waits for it.
func TestDrainWaitsForUpgradedConnections(t *testing.T) {
	left := make(chan struct{})
	s := start(t, parse(t, backend(t, echo(left)), "", "", ""))
	c, in := tunnel(t, s)
	public := s.Addresses()[0]
	s.stop()
	witness.Eventually(t, "new connections are refused", func() bool { return refused(public) })
	pause := time.NewTimer(500 * time.Millisecond) // the servers are shut down by then
	<-pause.C
	fmt.Fprintln(c, "still here")
	if line, err := in.ReadString('\n'); err != nil || line != "still here\n" {
		t.Errorf("tunnel while draining: got %q, %v, want what was sent", line, err)
	}
	select {
	case err := <-s.done:
		t.Fatalf("end of the server with a tunnel open: got %v, want it to wait", err)
	default:
	}
	c.Close()
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
}

// A tunnel goes on for ever if it may: it does not hold the end up for longer than the
// drain may take, and ends with it.
func TestTheEndIsTheEndOfUpgradedConnections(t *testing.T) {
	left := make(chan struct{})
	s := start(t, parse(t, backend(t, echo(left)), "", "drain: {timeout: 30ms}", ""))
	_, in := tunnel(t, s)
	s.stop()
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
	witness.Await(t, "end of the backend's connection", left)
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the client's connection: got %v, want the end", err)
	}
}

// While a balancer in front may not have noticed yet, everything is served; but each
// answer is the last on its connection.
func TestDrainDelay(t *testing.T) {
	s := start(t, parse(t, backend(t, func(http.ResponseWriter, *http.Request) {}), "", "drain: {delay: 1h}", ""))
	s.stop()
	witness.Eventually(t, "readyz 503", func() bool { return s.get(s.admin()+"/readyz").status == 503 })
	c := witness.Dial(t, "tcp", s.Addresses()[0])
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	in := bufio.NewReader(c)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 200 || !answer.Close {
		t.Errorf("answer on a new connection: got %v, %v, want 200 and Connection: close", answer, err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection after the answer: got %v, want the end", err)
	}
	s.kill()
	if err := witness.Await(t, "end of the server", s.done); err != nil {
		t.Errorf("end of the server: got %v, want nil", err)
	}
}
