package admin_test

import (
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/evenkeel/evenkeel/core/admin"
)

func Example() {
	h := admin.Handler(admin.Options{
		Ready: func() error { return errors.New("draining") },
	})
	for _, path := range []string{"/healthz", "/readyz", "/api/v1/pools"} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		fmt.Print(path, " ", answer.Code, " ", answer.Body)
	}
	// Output:
	// /healthz 200 ok
	// /readyz 503 draining
	// /api/v1/pools 200 {"pools":[]}
}
