package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core/proxy"
	"github.com/evenkeel/evenkeel/core/witness"
)

// recorder is a backend that knows HTTP/1.1 by the book, and nothing else. It writes down
// what comes, byte for byte, and says what is wrong with it.
type recorder struct {
	net.Listener
	answer string // to requests for /answer

	mu   sync.Mutex
	seen []message
	open map[net.Conn]bool
	done sync.WaitGroup
}

// message is a request as it came.
type message struct {
	head  string // with the empty line
	body  string // as it was framed
	said  string // what it is, in short: the method, the target, the framing and the body
	wrong string // what is wrong with it; empty for nothing
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &recorder{Listener: l, open: map[net.Conn]bool{}}
	b.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.open[c] = true
			b.mu.Unlock()
			b.done.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for c := range b.open {
			c.Close()
		}
		b.mu.Unlock()
		b.done.Wait()
	})
	return b
}

func (b *recorder) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		m, err := receive(in, c)
		if m.head != "" {
			b.mu.Lock()
			b.seen = append(b.seen, m)
			answer := b.answer
			b.mu.Unlock()
			if !strings.Contains(m.said, " /answer") {
				answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
			}
			if err == nil {
				_, err = io.WriteString(c, answer)
			}
		}
		if err != nil || m.wrong != "" || !strings.Contains(m.head, "\r\n") {
			return
		}
	}
}

// since returns what has come since the last call.
func (b *recorder) since() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.seen
	b.seen = nil
	return seen
}

// receive reads one request. Where its client waits to be asked for the body, it is.
func receive(in *bufio.Reader, out io.Writer) (m message, err error) {
	var head strings.Builder
	var lines []string
	for {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return message{head: head.String(), wrong: "a head that breaks off"}, err
		}
		if !strings.HasSuffix(line, "\r\n") || strings.Count(line, "\r") != 1 {
			m.wrong = fmt.Sprintf("a line that ends in %q", line)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		lines = append(lines, line)
	}
	m.head = head.String()
	if strings.Contains(m.head, "\r\nExpect: 100-") {
		io.WriteString(out, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	method, rest, _ := strings.Cut(lines[0], " ")
	target, version, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" {
		m.wrong = "a version of " + version
	}
	var length, coding []string
	hosts := 0
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\x00") {
			m.wrong = fmt.Sprintf("a header line %q", line)
		}
		switch strings.ToLower(name) {
		case "content-length":
			length = append(length, strings.TrimSpace(value))
		case "transfer-encoding":
			coding = append(coding, strings.TrimSpace(value))
		case "host":
			hosts++
		}
	}
	framing := ""
	switch {
	case hosts != 1:
		m.wrong = fmt.Sprint(hosts, " hosts")
	case len(length)+len(coding) > 1:
		m.wrong = fmt.Sprintf("framings %q and %q", length, coding)
	case len(coding) == 1 && coding[0] != "chunked":
		m.wrong = "a coding of " + coding[0]
	case len(coding) == 1:
		framing = " [chunked] "
		m.body, err = chunks(in)
	case len(length) == 1:
		framing = " [" + length[0] + "] "
		n, atoi := strconv.Atoi(length[0])
		if atoi != nil {
			m.wrong = "a length of " + length[0]
			break
		}
		body := make([]byte, n)
		n, err = io.ReadFull(in, body)
		m.body = string(body[:n])
	}
	m.said = method + " " + target + framing + m.body
	if err != nil {
		m.said += " (broken off)"
	}
	return m, err
}

// chunks reads a chunked body; a trailer is appended in brackets.
func chunks(in *bufio.Reader) (body string, err error) {
	line := func() string {
		var s string
		if err == nil {
			s, err = in.ReadString('\n')
		}
		if err == nil && !strings.HasSuffix(s, "\r\n") {
			err = fmt.Errorf("a line that ends in %q", s)
		}
		return strings.TrimSuffix(s, "\r\n")
	}
	for {
		size := line()
		if err != nil {
			return body, err
		}
		n, e := strconv.ParseUint(size, 16, 32)
		if e != nil {
			return body, e
		}
		if n == 0 {
			break
		}
		part := make([]byte, n)
		if _, err = io.ReadFull(in, part); err != nil {
			return body, err
		}
		body += string(part)
		if line() != "" {
			return body, errors.New("a chunk that is longer than its size")
		}
	}
	for field := line(); field != "" && err == nil; field = line() {
		body += "{" + field + "}"
	}
	return body, err
}

// framingCase is bytes that a client sends, and what is to become of them.
type framingCase struct {
	name, send string
	// want is the statuses that the client gets, in order, and then "kept", when the
	// connection serves another request after that, or "closed".
	want string
	// saw is what the backend gets, as message.said, one to a line.
	saw string
}

// testCorpus plays the cases. No backend ever gets more than what they say, or anything
// that is not HTTP/1.1 by the book.
func testCorpus(t *testing.T, cases []framingCase) {
	b := newRecorder(t)
	g := newRig(t, plan{endpoints: []string{"http://" + b.Addr().String()}, clients: proxy.Clients{MaxHeaders: 30}})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.running.add(1)
			defer g.running.add(-1)
			g.handler.ServeHTTP(w, r)
		}),
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               2 << 10,
		ErrorLog:                     slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve((&proxy.Guard{Unrouted: g.unrouted}).Listen(l))
	t.Cleanup(func() { shut(t, server) })
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			b.since()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(witness.Bound)); err != nil {
				t.Fatal(err)
			}
			got := converse(t, c, tt)
			if got != tt.want {
				t.Errorf("answers: got %s, want %s", got, tt.want)
			}
			if strings.Contains(tt.saw, "(broken off)") { // which nobody waits for
				witness.Eventually(t, "end of the message", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.seen) > 0 })
			}
			var saw []string
			for _, m := range b.since() {
				if m.wrong != "" {
					t.Errorf("the backend got %s:\n%s", m.wrong, m.head)
				}
				if !strings.Contains(m.said, " /after") {
					saw = append(saw, m.said)
				}
			}
			if s := strings.Join(saw, "\n"); s != tt.saw {
				t.Errorf("the backend got\n%s\nwant\n%s", s, tt.saw)
			}
		})
	}
}

// after is a request that ends a connection, if it is heard.
const after = "GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// converse sends what there is to send, and tells the statuses of the answers, and whether
// the connection was good for another request.
func converse(t *testing.T, c net.Conn, tt framingCase) string {
	t.Helper()
	raw, kept := tt.send, strings.HasSuffix(tt.want, "kept")
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	if kept {
		io.WriteString(c, after)
	}
	if strings.HasSuffix(tt.name, "(hangs up)") {
		c.(*net.TCPConn).CloseWrite()
	}
	in := bufio.NewReader(c)
	var got []string
	for {
		r := &http.Request{Method: "GET"}
		if strings.HasPrefix(raw, "HEAD") && len(got) == 0 {
			r.Method = "HEAD"
		}
		answer, err := http.ReadResponse(in, r)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset") {
				t.Errorf("answer %d: %v", len(got), err)
			}
			break
		}
		if answer.StatusCode >= 200 {
			io.Copy(io.Discard, answer.Body)
		}
		answer.Body.Close()
		got = append(got, strconv.Itoa(answer.StatusCode))
	}
	end := "closed"
	if kept && len(got) > 0 && got[len(got)-1] == "200" {
		got, end = got[:len(got)-1], "kept"
	}
	return strings.TrimSpace(strings.Join(append(got, end), " "))
}
