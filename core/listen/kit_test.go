package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/witness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tally is a Meter that counts.
type tally struct {
	mu      sync.Mutex
	states  [States]int
	refused map[Refusal]int
}

func (c *tally) Turned(from, to State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states[from]--
	c.states[to]++
}

func (c *tally) Refused(why Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused == nil {
		c.refused = map[Refusal]int{}
	}
	c.refused[why]++
}

// state is how many connections are in a state.
func (c *tally) state(s State) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.states[s]
}

func (c *tally) refusals() map[Refusal]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.refused)
}

// bench is a listener at work.
type bench struct {
	*Listener
	meter    *tally
	accepted chan *Conn
}

// start opens a listener on a port that the system chooses; what it accepts comes out of
// accepted.
func start(t *testing.T, o Options) *bench {
	t.Helper()
	socket, err := Open("127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, socket, o)
}

func startOn(t *testing.T, socket net.Listener, o Options) *bench {
	t.Helper()
	meter := &tally{}
	epoch := time.Now()
	o.Name, o.Meter, o.Log = "test", meter, slog.New(slog.DiscardHandler)
	o.Now = func() core.Instant { return core.Instant(time.Since(epoch)) }
	b := &bench{New(socket, o), meter, make(chan *Conn, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := b.Accept()
			if err != nil {
				return
			}
			b.accepted <- c.(*Conn)
		}
	}()
	t.Cleanup(func() {
		b.Close()
		<-ended
		for len(b.accepted) > 0 {
			(<-b.accepted).Close()
		}
		witness.Eventually(t, "all connections are gone", func() bool {
			return b.meter.state(Opening)+b.meter.state(Active)+b.meter.state(Idle)+b.meter.state(Upgraded) == 0
		})
	})
	return b
}

// dial connects to the listener; the connection is closed at the end of the test.
func (b *bench) dial(t *testing.T) net.Conn {
	t.Helper()
	return witness.Dial(t, b.Addr().Network(), b.Addr().String())
}

// next is the next connection that is ready.
func (b *bench) next(t *testing.T) *Conn {
	t.Helper()
	select {
	case c := <-b.accepted:
		t.Cleanup(func() { c.Close() })
		return c
	case <-time.After(witness.Bound):
		t.Fatalf("a connection: got none within %v", witness.Bound)
		return nil
	}
}

// certificate makes one for localhost, and the authorities that know it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}
