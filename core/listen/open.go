package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Unix begins the address of a Unix socket; its path follows.
const Unix = "unix:"

// Open opens a socket at an address: host:port, or unix: and an absolute path. The mode is
// what the file of a Unix socket is changed to; 0 leaves it as the umask has it.
//
// The file that a process has left behind which is not there any more is replaced; where
// somebody listens, or the file is no socket, it is an error. The file goes when the
// socket is closed. The probes that keep TCP connections alive are those of the net
// package: the first after 15 s, then one every 15 s, nine in all.
func Open(address string, mode fs.FileMode) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, Unix)
	if !isUnix {
		l, err := net.Listen("tcp", address)
		return l, cannot(address, err)
	}
	l, err := openUnix(path, mode)
	return l, cannot(address, err)
}

// cannot says in one line what is wrong with an address.
func cannot(address string, err error) error {
	if err == nil {
		return nil
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}

var (
	errInUse    = errors.New("another process listens there")
	errNoSocket = errors.New("there is a file that is no socket")
)

func openUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if err := makeWay(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil || mode == 0 {
		return l, err
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// makeWay removes the socket of a process that is not there any more.
func makeWay(path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != fs.ModeSocket:
		return errNoSocket
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		c.Close()
		return errInUse
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return errInUse // its queue is full, or it is not ours to ask
}
