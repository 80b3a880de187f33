package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// authorized lets those through who show the token, as Authorization: Bearer TOKEN (RFC
// 6750). How long the comparison takes says nothing about the token, not even how long
// it is: what is compared are hashes.
func authorized(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token == "" {
			say(w, http.StatusForbidden, "forbidden: calls that change something are off; admin.token_file turns them on\n")
			return
		}
		scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(shown)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			say(w, http.StatusUnauthorized, "unauthorized: this call needs the token, as Authorization: Bearer TOKEN\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// reload answers /api/v1/reload: 422 for a configuration that is not good, since the
// request was.
func reload(do func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := do(); err != nil {
			say(w, http.StatusUnprocessableEntity, "not reloaded, everything stays as it was:\n"+err.Error()+"\n")
			return
		}
		say(w, http.StatusOK, "reloaded\n")
	})
}
