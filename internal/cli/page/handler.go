package page

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// freshness is how long a state is reused, so that several tabs do not read it several times.
const freshness = 2 * time.Second

//go:embed assets
var assets embed.FS

// Source is what a Handler serves. All fields are required.
type Source struct {
	// Read returns the state. It is called once at a time.
	Read func(context.Context) (*State, error)
	// Requests returns the last requests between two nodes, and Trace those with an identifier.
	Requests func(ctx context.Context, from, to string) (*Requests, error)
	Trace    func(ctx context.Context, id string) (*Requests, error)
	Now      func() time.Time
}

// Handler serves the page.
type Handler struct {
	source Source
	mux    *http.ServeMux

	mu   sync.Mutex
	last *State
	at   time.Time
}

// New returns a handler of a source.
func New(source Source) (*Handler, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	h := &Handler{source: source, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /state", serveJSON(func(r *http.Request) (any, error) { return h.current(r.Context()) }))
	h.mux.HandleFunc("GET /requests", serveJSON(func(r *http.Request) (any, error) {
		return source.Requests(r.Context(), r.FormValue("from"), r.FormValue("to"))
	}))
	h.mux.HandleFunc("GET /trace", serveJSON(func(r *http.Request) (any, error) { return source.Trace(r.Context(), r.FormValue("id")) }))
	h.mux.Handle("GET /", http.FileServerFS(files))
	return h, nil
}

// ServeHTTP rejects requests under other names than that of the local address: another web page could otherwise give its own name
// this address and read the state.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isLocal(r.Host) {
		http.Error(w, "open this page by its local address", http.StatusMisdirectedRequest)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

// isLocal reports whether the Host of a request is a loopback address or localhost, with a port.
func isLocal(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return false
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// serveJSON answers with a document as JSON, or with an error that the page shows.
func serveJSON(read func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		document, err := read(r)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			document = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(document) // the browser may have closed the tab
	}
}

// current returns the last state if it is fresh, and reads it otherwise.
func (h *Handler) current(ctx context.Context) (*State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil && h.source.Now().Sub(h.at) < freshness {
		return h.last, nil
	}
	state, err := h.source.Read(ctx)
	if err != nil {
		return nil, err
	}
	h.last, h.at = state, h.source.Now()
	return state, nil
}

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
