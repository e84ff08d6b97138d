package metricsserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
)

// Profile returns the limits of clients. They leave room for a few scrapers.
func Profile() httplimit.Profile {
	return httplimit.Profile{
		Limits:        httplimit.Limits{Connections: 256, ConnectionsPerAddress: 32, Requests: 8, RequestsPerAddress: 2},
		HeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeader: 32 << 10,
	}
}

// Server serves /metrics. All fields are required.
type Server struct {
	// Address is where it listens.
	Address string
	Metrics prometheus.Gatherer
	// Certificate returns the certificate for a connection.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Clients ask the API server who may read.
	Clients kubernetes.Interface
	Now     func() time.Time
	Log     logr.Logger
}

// NeedLeaderElection implements manager.LeaderElectionRunnable. Each replica serves its own metrics.
func (*Server) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("the metrics server cannot listen: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve serves on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	protect, err := newProtection(s.Clients, s.Now, s.Log)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", protect(promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})))
	server := &http.Server{ //nolint:gosec // the profile has the timeouts
		Handler: mux, TLSConfig: &tls.Config{GetCertificate: s.Certificate, MinVersion: tls.VersionTLS12},
	}
	limited := Profile().Apply(server, listener, func() {})
	if err := httplimit.ServeTLS(ctx, server, limited, httplimit.Shutdown{}); err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
