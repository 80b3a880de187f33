package listen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Open(Unix+path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := os.Stat(path); err != nil || f.Mode().Perm() != 0o620 {
		t.Errorf("mode: got %v, %v, want 0620", f.Mode(), err)
	}
	if _, err := Open(Unix+path, 0); !errors.Is(err, errInUse) {
		t.Errorf("a second time: got %v, want %v", err, errInUse)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("after the second time: got %v, want the first one to go on", err)
	}
	c.Close()

	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := Open(Unix+path, 0)
	if err != nil {
		t.Fatalf("after a process that is gone: got %v, want its file replaced", err)
	}
	second.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: got %v, want the file gone", err)
	}

	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Unix+path, 0)
	if !errors.Is(err, errNoSocket) || !strings.HasPrefix(err.Error(), "cannot listen on unix:"+path+": ") {
		t.Errorf("a file: got %v, want %v", err, errNoSocket)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file: got %v, want it left alone", err)
	}
	if _, err := Open(Unix+path+"/x", 0); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: got %v, want %v", err, syscall.ENOTDIR)
	}
}

// A peer at a Unix socket is on this machine.
func TestUnixPeers(t *testing.T) {
	socket, err := Open(Unix+filepath.Join(t.TempDir(), "s"), 0)
	if err != nil {
		t.Fatal(err)
	}
	b := startOn(t, socket, Options{})
	b.dial(t)
	if got := b.next(t).RemoteAddr().String(); got != "127.0.0.1:0" {
		t.Errorf("got %s, want 127.0.0.1:0", got)
	}
}

func TestOpenTCP(t *testing.T) {
	l, err := Open("127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Open(l.Addr().String(), 0); err == nil || err.Error() != "cannot listen on "+l.Addr().String()+": bind: address already in use" {
		t.Errorf("got %v, want one line that names the address", err)
	}
}
