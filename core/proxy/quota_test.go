package proxy

import (
	"math"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/core/limit"
)

// An item of each header, in the grammar of RFC 9651.
var (
	policyItem = regexp.MustCompile(`^"a";q=[0-9]{1,15};w=[1-9][0-9]{0,14}$`)
	leftItem   = regexp.MustCompile(`^"a";r=[0-9]{1,15};t=[0-9]{1,15}$`)
)

// Whatever the limit is, and however much of it is used, clients are told in the grammar.
func FuzzRateLimitHeaders(f *testing.F) {
	f.Add(1.0, 1, 0, int64(0))
	f.Add(0.001, 1000, 1000, int64(1))
	f.Add(1e9, 1_000_000_000, 5, int64(1<<62))
	f.Add(3.7, 2, 2, int64(-1))
	f.Fuzz(func(t *testing.T, perSecond float64, burst, taken int, at int64) {
		rate, err := limit.NewRate(perSecond, burst)
		if err != nil {
			return
		}
		l := &Limit{Limiter: limit.New(rate, 0), Name: "a"}
		now := core.Instant(max(at, 0) % int64(100*365*24*time.Hour))
		for range min(max(taken, 0), 100) {
			l.Take(now, 0, 1)
		}
		var q quotas
		q.add(l, 0, now)
		h := http.Header{}
		q.tell(h)
		if got := h.Get("Ratelimit-Policy"); !policyItem.MatchString(got) {
			t.Errorf("%v a second, burst %d: RateLimit-Policy is %q", perSecond, burst, got)
		}
		if got := h.Get("Ratelimit"); !leftItem.MatchString(got) {
			t.Errorf("%v a second, burst %d, %d taken: RateLimit is %q", perSecond, burst, taken, got)
		}
	})
}

// What is too much for a number is much, and not none.
func TestRetryAfter(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	for text, want := range map[string]struct{ least, most time.Duration }{
		"":                              {0, 0},
		"0":                             {0, 0},
		"120":                           {2 * time.Minute, 2 * time.Minute},
		"4294967296":                    {4294967296 * time.Second, 4294967296 * time.Second},
		"9223372037":                    {most - time.Second, most},
		"99999999999999999999":          {most - time.Second, most},
		"-1":                            {0, 0},
		"+1":                            {0, 0},
		"1.5":                           {0, 0},
		"soon":                          {0, 0},
		"Thu, 01 Jan 1970 00:00:00 GMT": {0, 0},
		"Fri, 31 Dec 9999 23:59:59 GMT": {most, most},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):                  {time.Minute, time.Hour},
		time.Now().Add(time.Hour).UTC().Format("Monday, 02-Jan-06 15:04:05 GMT"): {time.Minute, time.Hour},
	} {
		if got := retryAfter(text); got < want.least || got > want.most {
			t.Errorf("%q: got %v, want %v to %v", text, got, want.least, want.most)
		}
	}
}

// A Retry-After is a time from now on, or none.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "2147483648", "99999999999999999999", "Mon, 23 Nov 2026 03:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "1.5", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := retryAfter(text); got < 0 {
			t.Errorf("%q: got %v", text, got)
		}
	})
}
