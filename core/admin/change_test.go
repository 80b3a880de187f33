package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/core/admin"
)

// What changes something needs the token, whole and right, and nothing else.
func TestChangesNeedTheToken(t *testing.T) {
	for name, c := range map[string]struct {
		token, method, authorization string
		origin                       string
		status                       int
		says                         string
		reloads                      int
	}{
		"no token is set":           {"", "POST", "Bearer ", "", 403, "admin.token_file", 0},
		"none is set, one is shown": {"", "POST", "Bearer secret", "", 403, "admin.token_file", 0},
		"none is shown":             {"secret", "POST", "", "", 401, "Bearer TOKEN", 0},
		"a part of it":              {"secret", "POST", "Bearer secre", "", 401, "", 0},
		"more than it":              {"secret", "POST", "Bearer secrets", "", 401, "", 0},
		"another case":              {"secret", "POST", "Bearer Secret", "", 401, "", 0},
		"another scheme":            {"secret", "POST", "Basic secret", "", 401, "", 0},
		"no scheme":                 {"secret", "POST", "secret", "", 401, "", 0},
		"it":                        {"secret", "POST", "Bearer secret", "", 200, "reloaded", 1},
		"it, by a scheme in lower case": {
			"secret", "POST", "bearer secret", "", 200, "reloaded", 1},
		"it, by the page of another site": {
			"secret", "POST", "Bearer secret", "http://evil.example", 403, "another site", 0},
		"it, to read":      {"secret", "GET", "Bearer secret", "", 405, "POST", 0},
		"it, to put":       {"secret", "PUT", "Bearer secret", "", 405, "POST", 0},
		"a bad file, told": {"bad", "POST", "Bearer bad", "", 422, "a.yaml:1:2: no", 1},
	} {
		reloads := 0
		h := admin.Handler(admin.Options{Token: c.token, Reload: func() error {
			reloads++
			if c.token == "bad" {
				return errors.New("a.yaml:1:2: no")
			}
			return nil
		}})
		r := httptest.NewRequest(c.method, "http://127.0.0.1:9901/api/v1/reload", nil)
		r.Header.Set("Authorization", c.authorization)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || reloads != c.reloads {
			t.Errorf("%s: got %d %q, %d reloads; want %d %q, %d", name, w.Code, w.Body, reloads, c.status, c.says, c.reloads)
		}
		if c.token != "" && strings.Contains(w.Body.String(), c.token+"\n") {
			t.Errorf("%s: the answer tells the token: %q", name, w.Body)
		}
		if c.status == 405 && w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: Allow: got %q, want POST", name, w.Header().Get("Allow"))
		}
	}
}

// Where nothing can be reloaded there is no such page.
func TestNoReloadNoPage(t *testing.T) {
	w := httptest.NewRecorder()
	admin.Handler(admin.Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/reload", nil))
	if w.Code != 404 {
		t.Errorf("got %d, want 404", w.Code)
	}
}
