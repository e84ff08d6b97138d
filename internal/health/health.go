package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openservicemesh/osm-operator/internal/version"
)

// Paths returns the paths that Handler serves.
func Paths() []string { return []string{"/health/alive", "/health/ready", "/version", "/metrics"} }

// Handler serves /health/alive, /health/ready, /metrics and /version. notReady returns nil if the process is ready, or
// the reason why it is not.
func Handler(registry prometheus.Gatherer, notReady func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health/alive", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("/health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := notReady(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		commit, date := version.Source()
		_ = json.NewEncoder(w).Encode(map[string]string{"version": version.Version, "commit": commit, "build_date": date})
	})
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// Serve serves a handler on an address until ctx ends.
func Serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the health server on %s stopped: %w", address, err)
	}
	return nil
}
