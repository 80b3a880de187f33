package breaker_test

import (
	"testing"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/breaker"
)

// A breaker tells of its turns if there is somebody to tell.
func TestTurns(t *testing.T) {
	s := breaker.Settings{ConsecutiveFailures: 1, Window: 1e9, MinRequests: 1, OpenFor: 1e9, MaxOpenFor: 1e9, Quota: 1, ProbeTimeout: 1e9}
	for want, turned := range map[bool]func(core.Instant, core.State, core.State){
		true: func(core.Instant, core.State, core.State) {}, false: nil,
	} {
		b, err := breaker.New(s, core.NewKey(1), turned)
		if err != nil {
			t.Fatal(err)
		}
		if b.Turns() != want {
			t.Errorf("tells of its turns: got %v, want %v", !want, want)
		}
	}
}
