package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
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

// Config configures a server. All fields are required.
type Config struct {
	Address string
	Handler http.Handler
	// OnClosed is called for each connection that is refused or closed because of a limit.
	OnClosed func()
}

// Profile returns the limits of clients. They leave room for the kubelet, a few scrapers and readers.
func Profile() httplimit.Profile {
	return httplimit.Profile{
		Limits:        httplimit.Limits{Connections: 256, ConnectionsPerAddress: 32, Requests: 32, RequestsPerAddress: 8},
		HeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeader: 16 << 10,
	}
}

// Serve serves until ctx ends.
func Serve(ctx context.Context, config Config) error {
	server := &http.Server{Handler: config.Handler} //nolint:gosec // the profile has the timeouts
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return fmt.Errorf("the health server cannot listen: %w", err)
	}
	limited := Profile().Apply(server, listener, config.OnClosed)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(limited); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the health server on %s stopped: %w", config.Address, err)
	}
	return nil
}
