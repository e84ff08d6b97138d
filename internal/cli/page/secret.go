package page

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
)

const (
	// secretParameter has the secret in the address that the command prints.
	secretParameter = "secret"
	secretCookie    = "osm-dashboard"
)

// NewSecret returns a secret for RequireSecret.
func NewSecret() string { return rand.Text() }

// Address is the address of a page behind RequireSecret.
func Address(url, secret string) string { return url + "/?" + secretParameter + "=" + secret }

// RequireSecret rejects requests without the secret. Other users of the machine reach a loopback port too, and would read the mesh with the
// permissions of whoever runs the command. The first request has the secret in its address, and further ones in a cookie.
func RequireSecret(next http.Handler, secret string) http.Handler {
	isSecret := func(text string) bool { return subtle.ConstantTimeCompare([]byte(text), []byte(secret)) == 1 }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isSecret(r.URL.Query().Get(secretParameter)) {
			// The page has no TLS, because it is on the loopback interface.
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // see above
				Name: secretCookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
			})
			next.ServeHTTP(w, r)
			return
		}
		if cookie, err := r.Cookie(secretCookie); err != nil || !isSecret(cookie.Value) {
			http.Error(w, "open the address that osm dashboard printed: it has a secret", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
