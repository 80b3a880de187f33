package explain

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
)

// A request does not wait for whoever is at the log: its decision is not kept.
func TestKeepDoesNotWait(t *testing.T) {
	l := NewLog("a", 1, 2)
	l.mu.Lock()
	l.Keep(&core.Decision{}, "r", 1)
	l.mu.Unlock()
	if got := len(l.Latest(2)); got != 0 {
		t.Errorf("got %d decisions, want none", got)
	}
	l.Keep(&core.Decision{}, "r", 1)
	if got := len(l.Latest(2)); got != 1 {
		t.Errorf("with nobody at it: got %d decisions, want 1", got)
	}
}
