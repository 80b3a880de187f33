package core_test

import (
	"math"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
)

func TestInstantAdd(t *testing.T) {
	cases := []struct {
		t    core.Instant
		d    time.Duration
		want core.Instant
	}{
		{0, 0, 0},
		{5, 7, 12},
		{5, -7, -2},
		{core.Never - 1, 1, core.Never},
		{core.Never - 1, 2, core.Never},
		{core.Never - 5, math.MaxInt64, core.Never},
		{1, math.MaxInt64, core.Never},
		{core.Never, 0, core.Never},
		{core.Never, time.Hour, core.Never},
		{core.Never, -time.Hour, core.Never},
	}
	for _, c := range cases {
		if got := c.t.Add(c.d); got != c.want {
			t.Errorf("%d + %d: got %d, want %d", c.t, c.d, got, c.want)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	cases := []struct {
		status     int
		retryAfter bool
		want       core.Outcome
		failed     bool
	}{
		{101, false, core.Success, false},
		{200, false, core.Success, false},
		{204, true, core.Success, false},
		{301, false, core.Success, false},
		{304, false, core.Success, false}, // the client's copy is good
		{400, false, core.ClientError, false},
		{401, false, core.ClientError, false},
		{404, false, core.ClientError, false}, // the endpoint did its work
		{404, true, core.ClientError, false},
		{429, false, core.Throttled, true},
		{429, true, core.Throttled, true},
		{499, false, core.ClientError, false},
		{500, false, core.ServerError, true},
		{500, true, core.ServerError, true},
		{502, true, core.ServerError, true},
		{503, false, core.ServerError, true},
		{503, true, core.Throttled, true},
		{504, false, core.ServerError, true},
		{599, false, core.ServerError, true},
	}
	for _, c := range cases {
		got := core.OutcomeOf(c.status, c.retryAfter)
		if got != c.want || got.Failed() != c.failed {
			t.Errorf("%d, Retry-After %v: got %v (failed %v), want %v (failed %v)",
				c.status, c.retryAfter, got, got.Failed(), c.want, c.failed)
		}
	}
}

func TestOutcomeFailed(t *testing.T) {
	want := map[core.Outcome]bool{
		core.ServerError: true, core.Throttled: true, core.Timeout: true, core.ConnectFailure: true, core.Reset: true,
	}
	for o := range core.Outcomes {
		if got := core.Outcome(o).Failed(); got != want[core.Outcome(o)] {
			t.Errorf("%v failed: got %v, want %v", core.Outcome(o), got, want[core.Outcome(o)])
		}
	}
}

func TestFailureStatus(t *testing.T) {
	want := map[core.Failure]int{
		core.NoEndpoint: 503, core.QueueFull: 503, core.QueueTimeout: 503, core.Shed: 503,
		core.TimedOut: 504, core.Unreachable: 502, core.Broken: 502,
	}
	for f := range core.Failures {
		if got := core.Failure(f).Status(); got != want[core.Failure(f)] {
			t.Errorf("status of %v: got %d, want %d", core.Failure(f), got, want[core.Failure(f)])
		}
	}
}

func TestRetryableStatus(t *testing.T) {
	for status := 100; status < 600; status++ {
		want := status == 502 || status == 503 || status == 504
		if got := core.RetryableStatus(status); got != want {
			t.Errorf("%d retryable: got %v, want %v", status, got, want)
		}
	}
}
