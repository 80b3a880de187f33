package proxy

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/evenkeel/evenkeel/core/telemetry"
)

// response is the answer on its way to the client. It remembers what was answered, and
// sees to it that a client that does not take it is not waited for without end.
type response struct {
	http.ResponseWriter
	request *http.Request
	status  int
	bytes   int64
	pace    pace
	lapse   lapse                        // of HTTP/2
	body    *upload                      // the request's body, once it is on its way; nil for none
	closing *atomic.Bool                 // the proxy stops; nil for never
	defect  func(what string, fault any) // counts and logs a panic
	own     http.Header                  // what the proxy itself says in the head of the answer
	slow    atomic.Bool                  // the client has not taken the answer in time
}

// Unwrap lets http.ResponseController find the flusher and the hijacker.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker: an upgrade does not pass WriteHeader.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.status = http.StatusSwitchingProtocols
	w.pace.until = time.Time{} // net/http has taken the deadline away
	return &tunnel{unguarded(conn), w}, buffer, nil
}

// tunnel is the client's end of an upgraded connection. It may be silent for as long as
// it likes, but has to take what is sent to it.
type tunnel struct {
	net.Conn
	answer *response
}

func (t *tunnel) Write(b []byte) (int, error) {
	began := time.Now()
	t.answer.pace.begin(began, len(b), t.Conn.SetWriteDeadline)
	n, err := t.Conn.Write(b)
	took := time.Since(began)
	t.answer.pace.moved(n, took)
	t.answer.untaken(err, took)
	return n, err
}

// keep remembers what the proxy has put into the head of the answer so far: an interim
// answer (1xx) carries that away.
func (w *response) keep() {
	if h := w.Header(); len(h) > 0 {
		w.own = maps.Clone(h)
	}
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
		w.head()
	} else if status < 200 {
		dropHopByHop(w.Header()) // ReverseProxy does that for the final answer
	}
	w.awaitWrite(time.Now(), 0)
	w.ResponseWriter.WriteHeader(status)
	w.lapse.stop()
	if status == http.StatusContinue && w.body != nil {
		w.body.permission.grant() // not before: whoever reads first has net/http say 100, too
	}
}

// head completes the head of the final answer.
func (w *response) head() {
	h := w.Header()
	for name, values := range w.own {
		if h[name] == nil {
			h[name] = values
		}
	}
	if len(h["Trailer"]) > 0 {
		announce(h)
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // where the endpoint does not say, net/http is not to guess
	}
	// A client that has not sent all of its body may be amid it when its answer is
	// complete. What comes then must not be taken for a request: net/http, told to answer
	// before it has read everything, leaves that to whoever told it.
	early := w.body != nil && w.request.ProtoMajor == 1 && !w.body.complete.Load()
	if early || w.closing != nil && w.closing.Load() {
		h["Connection"] = []string{"close"} // in HTTP/2 net/http makes it a GOAWAY
	}
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	began := time.Now()
	w.awaitWrite(began, len(b))
	n, err := w.ResponseWriter.Write(b)
	took := time.Since(began)
	w.moved(n, took)
	w.untaken(err, took)
	w.bytes += int64(n)
	if n >= turn {
		runtime.Gosched()
	}
	return n, err
}

// turn is how many bytes of an answer may be written before it is another's turn. A client's
// socket takes megabytes at once, whether or not the client reads them, and a goroutine that
// does not have to wait would go on until they are full; what is small would stand behind all
// of those at each step on its way.
const turn = 16 << 10

// FlushError implements what http.ResponseController looks for.
func (w *response) FlushError() error {
	began := time.Now()
	w.awaitWrite(began, 0)
	err := http.NewResponseController(w.ResponseWriter).Flush()
	took := time.Since(began)
	w.moved(0, took)
	w.untaken(err, took)
	return err
}

// awaitWrite bounds how long the client may take for what is about to be written.
func (w *response) awaitWrite(now time.Time, n int) {
	switch {
	case w.pace.stall <= 0:
	case w.request.ProtoMajor == 1:
		w.pace.begin(now, n, w.setWriteDeadline)
	default:
		w.lapse.begin(w.pace.patience(n), w.cutWriting)
	}
}

// moved takes in that so much was written.
func (w *response) moved(n int, took time.Duration) {
	w.lapse.stop()
	w.pace.moved(n, took)
}

// finish is for when there is nothing left to write, but what net/http has kept back. For
// HTTP/1.1 the deadline of the last writing holds for that.
func (w *response) finish() {
	w.lapse.end()
	if w.pace.stall > 0 && w.request.ProtoMajor > 1 {
		_ = w.setWriteDeadline(time.Now().Add(w.pace.patience(0)))
	}
}

func (w *response) setWriteDeadline(t time.Time) error {
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(t)
}

// passed is a deadline that has passed.
var passed = time.Unix(1, 0)

func (w *response) cutWriting() {
	w.slow.Store(true)
	_ = w.setWriteDeadline(passed)
}

func (w *response) cutReading() { _ = w.setReadDeadline(passed) }

// readBy bounds the reading of what the client has still to send of its body.
// Without one, a client that stops sending keeps its request for ever.
func (w *response) readBy(d time.Duration) {
	_ = w.setReadDeadline(time.Now().Add(d)) // where this is not supported there is no connection to wait for
}

func (w *response) setReadDeadline(t time.Time) error {
	return http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
}

// linger is how long a client that has its answer may take to send the rest of its body.
// net/http reads some of that, lest the answer be lost with the connection.
const linger = 500 * time.Millisecond

// reject counts a request that the proxy answers itself, and answers it.
func (w *response) reject(route *telemetry.Route, status int, reason string) {
	route.Rejected(reason)
	w.refuse(status, reason)
}

// refuse answers for the proxy itself. reason is a fixed word: never an address,
// never an error text.
func (w *response) refuse(status int, reason string) {
	if w.request.ContentLength != 0 && w.body == nil { // net/http reads it before it answers
		w.readBy(linger)
	}
	if isGRPC(w.request) {
		w.refuseCall(status, reason)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintf(w, "evenkeel: %d %s: %s\n", status, http.StatusText(status), reason)
}
