package proxy

import (
	"io"
	"net/http"
)

// body is an answer's body that tells how it ended, once.
type body struct {
	io.ReadCloser
	eof    func()          // the last byte was read; nil for nothing
	broken func(err error) // reading failed; nil for nothing
	end    func()          // closed without either
	ended  bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil || b.ended:
	case err == io.EOF && b.eof != nil:
		b.ended = true
		b.eof()
	case err != io.EOF && b.broken != nil:
		b.ended = true
		b.broken(err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	if !b.ended {
		b.ended = true
		b.end()
	}
	return err
}

// discard throws an answer away that is not delivered. A short rest is read, so that
// its connection can be used again.
func discard(answer *http.Response) {
	if answer == nil {
		return
	}
	const short = 4 << 10
	if answer.ContentLength < 0 || answer.ContentLength > short {
		answer.Body.Close()
		return
	}
	go func() {
		io.CopyN(io.Discard, answer.Body, short)
		answer.Body.Close()
	}()
}
