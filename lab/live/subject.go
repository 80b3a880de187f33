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
	URL    string
	Admin  string // empty of another proxy
	Config []byte // what it was started with

	who        string // in messages
	silent     bool   // it does not tell its addresses, nor when it is ready
	command    *exec.Cmd
	exited     chan error // receives the end of the process, once
	complaints *tail
	dir        string
}

const (
	startWithin = 10 * time.Second
	stopWithin  = 10 * time.Second
)

// startSubject runs the proxy, ours or another, with a configuration made for the subject
// and waits until it serves, for so long.
func startSubject(ctx context.Context, within time.Duration, binary string, s scenario.Subject, endpoints []string) (*subject, error) {
	dir, err := os.MkdirTemp("", "keellab-")
	if err != nil {
		return nil, err
	}
	p := &subject{who: "the proxy", exited: make(chan error, 1), complaints: &tail{}, dir: dir}
	if s.Peer != nil {
		err = p.preparePeer(s, endpoints)
	} else {
		err = p.prepare(binary, s, endpoints)
	}
	if err == nil {
		err = p.start(ctx, within)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// prepare writes our proxy's configuration. It finds itself a port and tells it when it is
// ready.
func (p *subject) prepare(binary string, s scenario.Subject, endpoints []string) error {
	file, err := config.FromEndpoints("127.0.0.1:0", endpoints, "", "127.0.0.1:0")
	if err != nil {
		return err
	}
	file.Pools[0].Policies = s.Policies
	file.Drain.Timeout = stopWithin / 2
	if p.Config, err = file.YAML(); err != nil {
		return err
	}
	path := filepath.Join(p.dir, "evenkeel.yaml")
	p.run(binary, "run", "-c", path)
	return os.WriteFile(path, p.Config, 0o600)
}

// run makes the command. It has a process group of its own: an interrupt at the terminal
// is for the lab, which then stops the proxy itself.
func (p *subject) run(name string, args ...string) {
	p.command = exec.Command(name, args...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start starts the process and waits until it is ready.
func (p *subject) start(ctx context.Context, within time.Duration) error {
	started := make(chan error, 1)
	ready := make(chan bool, 1)
	go p.follow(started, ready)
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", p.who, err)
	}
	if p.silent {
		dialling, cancel := context.WithCancel(ctx)
		defer cancel()
		go p.dial(dialling, ready)
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
		return fmt.Errorf("%s ended before it was ready (%w): %s", p.who, err, p.complaints)
	case <-timer.C:
		err = fmt.Errorf("%s was not ready within %v: %s", p.who, within, p.complaints)
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
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.read(log, ready)
	}()
	p.outlive()
	<-over
	err = p.command.Wait()
	select {
	case ready <- false:
	default:
	}
	p.exited <- err
}

// outlive waits until the process has ended, and ends what it has left in its group: that
// would go on serving, and hold the log open. Until the process is waited for, its id, which
// is the group's, is nobody else's.
func (p *subject) outlive() {
	const byID = 1 // P_PID of waitid(2)
	id := p.command.Process.Pid
	for {
		_, _, err := syscall.Syscall6(syscall.SYS_WAITID, byID, uintptr(id), 0, syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		if err != syscall.EINTR {
			break
		}
	}
	syscall.Kill(-id, syscall.SIGKILL)
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
		if !p.silent && json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" && len(line.Listeners) == 1 {
			p.URL, p.Admin = "http://"+line.Listeners[0], "http://"+line.Admin
			select {
			case ready <- true:
			default: // it was said before
			}
			continue
		}
		p.complaints.add(lines.Text())
	}
	io.Copy(io.Discard, log) // a line too long to scan does not block the proxy
}

// stop ends the process the way its operator would, and says how it went if not well.
func (p *subject) stop() error {
	defer os.RemoveAll(p.dir)
	p.command.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case err := <-p.exited:
		if err != nil && !(p.silent && terminated(err)) {
			return fmt.Errorf("%s did not end well (%w): %s", p.who, err, p.complaints)
		}
		return nil
	case <-timer.C:
		p.kill()
		return fmt.Errorf("%s did not stop within %v of SIGTERM", p.who, stopWithin)
	}
}

// terminated tells whether a process has ended by SIGTERM itself, as some proxies do whose
// quick end it is.
func terminated(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
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
