package xds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/openservicemesh/osm-operator/internal/contract"
	book "github.com/openservicemesh/osm-operator/internal/loadstats"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// Limits of a connection. A sidecar has one connection with one stream of discovery and one of load reports.
const (
	maxStreams     = 8
	maxRequest     = 4 << 20
	maxHeaders     = 32 << 10
	handshakeLimit = 10 * time.Second
	// connectionAge is after how long a sidecar must connect again, give or take a tenth (gRPC's own jitter): that spreads
	// sidecars over replicas and makes them show a fresh token. The grace is for the response that is being written.
	connectionAge   = 30 * time.Minute
	connectionGrace = 5 * time.Second
	// pingAfter and pingTimeout find connections whose other end has vanished.
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
	// minPing is how often a sidecar may ask whether we are still there.
	minPing = 10 * time.Second
)

// Config is what a Server needs. All fields are required, unless said otherwise.
type Config struct {
	Store         *snapshot.Store
	Authenticator Authenticator
	// TLS has the server's certificate. TLS 1.2 is the least that is spoken, whatever it says.
	TLS     *tls.Config
	Log     logr.Logger
	Metrics prometheus.Registerer
	// Contract says which sidecars are served; the zero value is all.
	Contract contract.Promise
	// Loads takes load reports; nil keeps them where nobody reads them.
	Loads *book.Book
	// Now is the clock; nil is the real one.
	Now func() time.Time
}

// Server serves sidecars.
type Server struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	loadstats.UnimplementedLoadReportingServiceServer

	config   Config
	metrics  *metrics
	refusals *refusals
	grpc     *grpc.Server
}

// NewServer makes a Server.
func NewServer(config Config) (*Server, error) {
	if config.TLS == nil {
		return nil, errors.New("the xDS server needs a TLS configuration: sidecars send their tokens over this connection")
	}
	tlsConfig := config.TLS.Clone()
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	tlsConfig.NextProtos = []string{"h2"}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Loads == nil {
		config.Loads = book.NewBook(config.Now)
	}
	handshakes := newGate(max(runtime.GOMAXPROCS(0), minHandshakes), maxHandshakes)
	s := &Server{config: config, metrics: newMetrics(config.Metrics, handshakes)}
	s.refusals = newRefusals(config.Log, config.Now, s.metrics.unlogged.Inc)
	s.grpc = grpc.NewServer(
		grpc.Creds(transport{credentials.NewTLS(tlsConfig), handshakes, s.metrics.tooMany}),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeLimit),
		grpc.ReadBufferSize(0), // TLS has a buffer of its own, and there is one for each sidecar
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge:      connectionAge,
			MaxConnectionAgeGrace: connectionGrace,
			Time:                  pingAfter,
			Timeout:               pingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(s.grpc, s)
	loadstats.RegisterLoadReportingServiceServer(s.grpc, s)
	return s, nil
}

// Serve serves a listener until ctx ends, then closes it and all connections. Sidecars connect again elsewhere and keep
// their configuration meanwhile.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, s.grpc.Stop)
	defer stop()
	if err := s.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the xDS server on %s stopped: %w", listener.Addr(), err)
	}
	return nil
}
