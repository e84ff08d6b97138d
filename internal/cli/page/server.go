package page

import (
	"context"
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

// Handler serves the page.
type Handler struct {
	read func(context.Context) (*State, error)
	now  func() time.Time
	mux  *http.ServeMux

	mu   sync.Mutex
	last *State
	at   time.Time
}

// New returns a handler that reads the state by read, one call at a time.
func New(read func(context.Context) (*State, error), now func() time.Time) (*Handler, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	h := &Handler{read: read, now: now, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /state", h.state)
	h.mux.Handle("GET /", http.FileServerFS(files))
	return h, nil
}

// ServeHTTP rejects requests under other names than that of the local address: a foreign web page could otherwise give its own name
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

// state answers with the state as JSON, or with an error that the page shows.
func (h *Handler) state(w http.ResponseWriter, r *http.Request) {
	state, err := h.current(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(state)
}

// current returns the last state if it is fresh, and reads it otherwise.
func (h *Handler) current(ctx context.Context) (*State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil && h.now().Sub(h.at) < freshness {
		return h.last, nil
	}
	state, err := h.read(ctx)
	if err != nil {
		return nil, err
	}
	h.last, h.at = state, h.now()
	return state, nil
}
