package proxy

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// script is a connection whose readings are scripted: each waits for what to return.
type script struct {
	net.Conn
	began chan int    // the size of a reading that has begun
	give  chan string // what it returns; closed: the end
	wrote strings.Builder
}

func (s *script) Read(p []byte) (int, error) {
	s.began <- len(p)
	text, ok := <-s.give
	if !ok {
		return 0, io.EOF
	}
	return copy(p, text), nil
}

func (s *script) Write(p []byte) (int, error) { return s.wrote.Write(p) }
func (s *script) Close() error                { return nil }

// What has come when a request is to be written decides whether it is. A step reads with the
// whole buffer ("R"), with a part of it ("r"), lets the reading return something ("text"),
// or hands the connection to the next request ("next").
func TestLink(t *testing.T) {
	for name, tt := range map[string]struct {
		steps []string
		ok    bool
	}{
		"new":                                {nil, true},
		"new, and read":                      {[]string{"R"}, true},
		"new, and it speaks":                 {[]string{"R", "text"}, false},
		"new, it speaks and is read on":      {[]string{"R", "text", "R"}, false},
		"used":                               {[]string{"R", "ask", "text", "R", "next"}, true},
		"used, and read late":                {[]string{"R", "ask", "text", "next", "R"}, true},
		"used, and it speaks":                {[]string{"R", "ask", "text", "R", "next", "text"}, false},
		"used, it has spoken and is full":    {[]string{"R", "ask", "text", "R", "text", "next", "r"}, false},
		"used, with a part left":             {[]string{"R", "ask", "text", "next", "r"}, false},
		"used, and a body read in parts":     {[]string{"R", "ask", "text", "r", "text", "R", "next"}, true},
		"used, and closed before it is read": {[]string{"R", "ask", "text", "next", "close"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := &script{began: make(chan int), give: make(chan string)}
			l := newLink(c)
			turn := l.next()
			var back chan struct{}
			for _, step := range tt.steps {
				switch step {
				case "R", "r":
					size := map[string]int{"R": readBuffer, "r": readBuffer - 1}[step]
					back = make(chan struct{})
					go func(done chan struct{}) {
						defer close(done)
						l.Read(make([]byte, size))
					}(back)
					<-c.began
				case "text":
					c.give <- step
					<-back
				case "ask":
					if _, err := l.Write([]byte("first")); err != nil {
						t.Fatal(err)
					}
				case "next":
					turn = l.next()
				case "close":
					l.Close()
				}
			}
			_, err := l.Write([]byte("question"))
			if ok := err == nil; ok != tt.ok || !ok && !errors.Is(err, errUnasked) {
				t.Errorf("written: got %v, want %v", err, tt.ok)
			}
			if got := strings.HasSuffix(c.wrote.String(), "question"); got != tt.ok || l.asked(turn) != tt.ok {
				t.Errorf("sent: got %v, asked %v, want %v", got, l.asked(turn), tt.ok)
			}
			close(c.give)
		})
	}
}

// A request waits until it is clear that nothing has come.
func TestLinkWaits(t *testing.T) {
	c := &script{began: make(chan int), give: make(chan string)}
	l := newLink(c)
	read := func() <-chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Read(make([]byte, readBuffer))
		}()
		<-c.began
		return done
	}
	first := read()
	if _, err := l.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	back := make(chan struct{})
	c.give <- "answer"
	<-first
	l.next()
	go func() {
		defer close(back)
		if _, err := l.Write([]byte("second")); err != nil {
			t.Error(err)
		}
	}()
	read()
	<-back
	close(c.give)
}
