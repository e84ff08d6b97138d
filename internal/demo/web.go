package demo

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
)

// Web serves the endpoints of a program: its page on /, its counters on /counters, its probes, and the paths added with
// HandleFunc.
type Web struct {
	mux      *http.ServeMux
	stopping atomic.Bool
}

// NewWeb returns a Web. Both functions are called for every request and must be safe for concurrent use.
func NewWeb(page func() Page, counters func() any) *Web {
	w := &Web{mux: http.NewServeMux()}
	w.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) { render(rw, page()) })
	w.HandleFunc("GET /counters", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(rw)
		enc.SetIndent("", "  ")
		// Encoding can only fail if the client disconnected.
		_ = enc.Encode(counters())
	})
	w.HandleFunc("GET /health", w.ready)
	w.HandleFunc("GET /health/live", func(http.ResponseWriter, *http.Request) {})
	return w
}

// HandleFunc registers a path, in the pattern syntax of http.ServeMux.
func (w *Web) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	w.mux.HandleFunc(pattern, f)
}

// Stopping makes readiness fail and closes connections after each response, while all other paths are still served.
func (w *Web) Stopping() {
	w.stopping.Store(true)
}

// ServeHTTP serves a request.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.stopping.Load() {
		rw.Header().Set("Connection", "close")
	}
	w.mux.ServeHTTP(rw, r)
}

func (w *Web) ready(rw http.ResponseWriter, _ *http.Request) {
	if w.stopping.Load() {
		http.Error(rw, "stopping", http.StatusServiceUnavailable)
	}
}
