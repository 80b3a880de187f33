package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// subject is a proxy under test: a process of its own, so that neither the load
// generator's nor the backends' garbage and scheduling are its.
type subject struct {
	URL, Admin string
	command    *exec.Cmd
	exited     chan error // receives the end of the process, once
	complaints *tail
	dir        string
}

const (
	startWithin = 10 * time.Second
	stopWithin  = 10 * time.Second
)

// startSubject runs the proxy with a configuration made for the subject and waits
// until it serves, for so long.
func startSubject(ctx context.Context, within time.Duration, binary string, s scenario.Subject, endpoints []string) (*subject, error) {
	file, err := config.FromEndpoints("127.0.0.1:0", endpoints, "", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	file.Pools[0].Policies = s.Policies
	file.Drain.Timeout = stopWithin / 2
	text, err := file.YAML()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "keellab-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "evenkeel.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p := &subject{command: exec.Command(binary, "run", "-c", path), exited: make(chan error, 1), complaints: &tail{}, dir: dir}
	// A process group of its own: an interrupt at the terminal is for the lab, which
	// then stops the proxy itself.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.start(ctx, within); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// start starts the process and waits until it is ready.
func (p *subject) start(ctx context.Context, within time.Duration) error {
	started := make(chan error, 1)
	ready := make(chan bool, 1)
	go p.follow(started, ready)
	if err := <-started; err != nil {
		return fmt.Errorf("starting the proxy: %w", err)
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	var err error
	select {
	case ok := <-ready:
		if ok {
			return nil
		}
		err := <-p.exited
		if err == nil {
			err = errors.New("exit status 0")
		}
		return fmt.Errorf("the proxy ended before it was ready (%w): %s", err, p.complaints)
	case <-timer.C:
		err = fmt.Errorf("the proxy was not ready within %v: %s", within, p.complaints)
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.kill()
	return err
}

// kill ends the process, and whatever it has started in its group, now.
func (p *subject) kill() {
	syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// follow runs the process to its end. Its thread is the process's parent and so must
// live as long: Linux ends the child when the thread that made it ends (Pdeathsig).
func (p *subject) follow(started chan<- error, ready chan<- bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	log, err := p.command.StderrPipe()
	if err == nil {
		err = p.command.Start()
	}
	started <- err
	if err != nil {
		return
	}
	p.read(log, ready)
	p.exited <- p.command.Wait()
}

// read follows the proxy's log and finds its addresses there.
func (p *subject) read(log io.Reader, ready chan<- bool) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Msg, Admin string
			Listeners  []string
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" && len(line.Listeners) == 1 {
			p.URL, p.Admin = "http://"+line.Listeners[0], "http://"+line.Admin
			ready <- true
			continue
		}
		p.complaints.add(lines.Text())
	}
	io.Copy(io.Discard, log) // a line too long to scan does not block the proxy
	select {
	case ready <- false:
	default:
	}
}

// stop ends the process the way its operator would, and says how it went if not well.
func (p *subject) stop() error {
	defer os.RemoveAll(p.dir)
	p.command.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case err := <-p.exited:
		if err != nil {
			return fmt.Errorf("the proxy did not end well (%w): %s", err, p.complaints)
		}
		return nil
	case <-timer.C:
		p.kill()
		return fmt.Errorf("the proxy did not stop within %v of SIGTERM", stopWithin)
	}
}

// tail keeps the last lines of a log. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	const keep = 5
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > keep {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, " | ")
}
