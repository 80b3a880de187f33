package live

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/evenkeel/evenkeel/core/config"
	"github.com/evenkeel/evenkeel/lab/peer"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// preparePeer writes another proxy's configuration. It is told its port, and does not
// tell when it is ready.
func (p *subject) preparePeer(s scenario.Subject, endpoints []string) error {
	p.who, p.silent = s.Peer.Name, true
	settings := peerSettings(s.Policies)
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil {
			return err
		}
		settings.Servers = append(settings.Servers, u.Host)
	}
	var err error
	if settings.Listen, err = freePort(); err != nil {
		return err
	}
	rendered, err := s.Peer.Render(settings)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Peer.Name, err)
	}
	p.URL, p.Config = "http://"+settings.Listen, rendered.Text
	p.run(rendered.Command[0], rendered.Command[1:]...)
	p.command.Dir = p.dir
	return os.WriteFile(filepath.Join(p.dir, rendered.File), rendered.Text, 0o600)
}

// peerSettings are the pool's policies in the words that other proxies have, too.
func peerSettings(p config.Policies) peer.Settings {
	s := peer.Settings{
		Connect: p.Timeouts.Connect, Header: p.Timeouts.ResponseHeader, Total: p.Timeouts.Total,
		Attempts: p.Retries.Attempts,
	}
	if b := p.Breaker; b.Enabled {
		s.Breaker = &peer.Breaker{Failures: b.ConsecutiveFailures, OpenFor: b.OpenFor}
	}
	if h := p.Health; h != nil {
		s.Health = &peer.Health{Path: h.Path, Interval: h.Interval, Timeout: h.Timeout, Rise: h.Rise, Fall: h.Fall}
	}
	return s
}

// freePort is an address at which nobody listens. Somebody may before the peer does: then
// that ends before it is ready, and says so.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// dial tries until somebody listens at the subject's address, and says so.
func (p *subject) dial(ctx context.Context, ready chan<- bool) {
	address := p.URL[len("http://"):]
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	var dialer net.Dialer
	for ctx.Err() == nil {
		if conn, err := dialer.DialContext(ctx, "tcp", address); err == nil {
			conn.Close()
			select {
			case ready <- true:
			default: // it has ended meanwhile
			}
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}
