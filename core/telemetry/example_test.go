package telemetry_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/evenkeel/evenkeel/core/telemetry"
)

func Example() {
	metrics := telemetry.New("v1.0.0")
	route := metrics.Route("all")
	route.Finished(200, 3*time.Millisecond)
	route.Finished(telemetry.StatusClientLeft, 10*time.Second)

	answer := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "evenkeel_requests_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// evenkeel_requests_total{code="1xx",route="all"} 0
	// evenkeel_requests_total{code="2xx",route="all"} 1
	// evenkeel_requests_total{code="3xx",route="all"} 0
	// evenkeel_requests_total{code="499",route="all"} 1
	// evenkeel_requests_total{code="4xx",route="all"} 0
	// evenkeel_requests_total{code="5xx",route="all"} 0
}
