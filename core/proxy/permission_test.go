package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// relay passes answers on to a client, and notes whether the body could be read before.
type relay struct {
	http.ResponseWriter
	permission *permission
	passed     []int
	early      bool
}

func (r *relay) WriteHeader(status int) {
	r.passed = append(r.passed, status)
	select {
	case <-r.permission.granted:
		r.early = true
	default:
	}
}

// The client has been told before its body is read: net/http tells one by itself that
// nobody has told yet, and it would hear it twice.
func TestPermissionIsPassedOnFirst(t *testing.T) {
	for _, c := range []struct {
		status  int
		granted bool
	}{{http.StatusContinue, true}, {http.StatusEarlyHints, false}} {
		asks := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		asks.Header.Set("Expect", "100-continue")
		client := &relay{ResponseWriter: httptest.NewRecorder(), permission: newPermission(asks)}
		answer := &response{ResponseWriter: client, request: asks, body: &upload{permission: client.permission}}
		answer.WriteHeader(c.status)
		granted := false
		select {
		case <-client.permission.granted:
			granted = true
		default:
		}
		if len(client.passed) != 1 || client.passed[0] != c.status || client.early || granted != c.granted {
			t.Errorf("%d: passed on %v, the body free before: %v, after: %v, want it after: %v", c.status, client.passed, client.early, granted, c.granted)
		}
	}
}
