package live

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/record"
)

// attack sends the plan to the target with vegeta, on its way, and returns what came of it, by request. start is told, before the first request, when the plan's time began.
//
// The loop stays open: vegeta starts as many workers as it takes, and connections are
// not capped. An attacker is used once (a second attack of the same one would be cut
// short by the first one's end). If ctx ends, so does the attack, and the error says so.
func attack(ctx context.Context, target, name string, plan []core.Instant, timeout time.Duration, w *way, start func(time.Time)) ([]record.Request, error) {
	var open lines
	transport := &http.Transport{
		MaxIdleConnsPerHost: 10_000,
		DisableCompression:  true,
		DialContext:         open.dial,
	}
	defer transport.CloseIdleConnections()
	w.seen.next = transport
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{
			Transport:     w,
			Timeout:       timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		vegeta.MaxBody(0), // read to its end, not kept
	)
	var began time.Time
	pace := &pacer{plan: plan, start: func(t time.Time) { began = t; start(t) }}
	targeter := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: target + "/"})

	stopped := context.AfterFunc(ctx, func() {
		attacker.Stop()
		open.cut()
	})
	defer stopped()
	// The channel has no buffer: whoever reads it slowly slows the workers. So keep
	// little, in memory that is there already.
	results := make([]record.Request, 0, len(plan))
	for r := range attacker.Attack(targeter, pace, 0, name) {
		results = append(results, asRecord(r, began, plan))
	}
	return results, ctx.Err()
}

// lines are the connections of an attack. An attacker that is stopped still waits for the
// answers that are due, which may take a client's whole patience: so they are cut.
type lines struct {
	mu   sync.Mutex
	all  []net.Conn
	over bool
}

func (l *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		conn.Close()
		return nil, net.ErrClosed
	}
	l.all = append(l.all, conn)
	return conn, nil
}

func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, conn := range l.all {
		conn.Close()
	}
}

// asRecord counts from the plan: the i-th hit takes the i-th place in it, and the
// response time runs from there, however late it was sent. (vegeta's own latency
// begins when a worker sends, so it leaves out what waited for the generator.)
func asRecord(r *vegeta.Result, began time.Time, plan []core.Instant) record.Request {
	server := -1
	if index, err := strconv.Atoi(r.Headers.Get(backend.ServerHeader)); err == nil {
		server = index
	}
	sent := core.Instant(r.Timestamp.Sub(began))
	return record.Request{
		Seq:      int64(r.Seq),
		Planned:  plan[r.Seq],
		Sent:     sent,
		Done:     max(sent.Add(r.Latency), plan[r.Seq]),
		Endpoint: server,
		Code:     int(r.Code),
	}
}
