package stat_test

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// A balancer that refuses every tenth request at once is not quick.
func ExampleDigester() {
	h := record.Header{Driver: record.Sim, Duration: 10 * time.Second, ClientTimeout: 5 * time.Second}
	d, err := stat.NewDigester(h)
	if err != nil {
		panic(err)
	}
	for i := range int64(1000) {
		at := core.Instant(i) * core.Instant(10*time.Millisecond)
		r := record.Request{Seq: i, Planned: at, Sent: at, Done: at.Add(20 * time.Millisecond), Code: 200, Endpoint: -1}
		if i%10 == 0 {
			r.Done, r.Code = at.Add(time.Millisecond), 503
		}
		d.Add(r)
	}
	digest, err := d.Digest(h)
	if err != nil {
		panic(err)
	}
	s := digest.Summary
	fmt.Println("p50:", *s.Latency.P50, "p99:", *s.Latency.P99, "p99 of successes:", *s.LatencyOK.P99)
	fmt.Println("p99.9 of a thousand requests:", s.Latency.P999)
	// Output:
	// p50: 0.02 p99: 5 p99 of successes: 0.02
	// p99.9 of a thousand requests: <nil>
}
