package xds

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/handshake"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// Limits of a connection. A proxy has one discovery stream and one stream of load reports, on one connection or on two.
const (
	// maxStreams also has room for streams that are ending.
	maxStreams      = 4
	maxRequestBytes = 4 << 20
	maxHeaderBytes  = 32 << 10
	// streamWindow and connectionWindow are how much a client may send before it is read. They do not grow.
	streamWindow     = 64 << 10
	connectionWindow = maxStreams * streamWindow
	handshakeTimeout = 10 * time.Second
	// maxConnectionAge is the default of Config.ConnectionAge.
	maxConnectionAge = 30 * time.Minute
	// maxConnectionAgeGrace is for the response that is being written.
	maxConnectionAgeGrace = 5 * time.Second
	// keepaliveTime and keepaliveTimeout detect clients that exist and do not run. They wake a goroutine of each idle connection, so nodes that no longer
	// exist are left to the kernel (probeTime).
	keepaliveTime    = 100 * time.Second
	keepaliveTimeout = 10 * time.Second
	// minPingInterval limits keepalive pings of the client.
	minPingInterval = 10 * time.Second
	// firstRequestTimeout is how long a client may take to send the first request of a stream after its pod is known.
	firstRequestTimeout = 5 * time.Second
	// discoveryTimeout is how long a stream of load reports waits for the discovery stream of its pod.
	discoveryTimeout = 10 * time.Second
)

// A connection is pending while it has no stream whose pod is known to the Store. Opening one needs no credentials, or the token of any pod of the
// cluster, so pending connections are limited in number and time.
const (
	// maxPending is how many connections may be pending.
	maxPending = 4096
	// maxPendingPerAddress is how many may be pending from one address. A pod needs one; an address can stand for all
	// pods of a node.
	maxPendingPerAddress = 256
	// pendingTimeout is how long a connection may be pending.
	pendingTimeout = 15 * time.Second
)

// Config configures a Server. All fields are required, unless documented otherwise.
type Config struct {
	Store         *snapshot.Store
	Authenticator Authenticator
	// TLS has the server certificate. The minimum version is TLS 1.2, even if TLS allows less.
	TLS     *tls.Config
	Log     logr.Logger
	Metrics prometheus.Registerer
	// Compatibility decides which Envoy releases are served; the zero value serves all.
	Compatibility compatibility.Entry
	// Loads records load reports. The default is a store that is not read.
	Loads *loadstats.Store
	// Denials records what sidecars deny. The default is a store that is not read.
	Denials *denials.Store
	// Bridge lets sidecars of Open Service Mesh connect; nil for none.
	Bridge *Bridge
	// MaxPendingPerAddress is how many connections of one address may be pending. The default is 256.
	MaxPendingPerAddress int
	// ConnectionAge is when a proxy must reconnect; gRPC adds a jitter of 10%. Reconnecting distributes proxies over replicas and makes them present a
	// fresh token. The default is 30 minutes.
	ConnectionAge time.Duration
	// Now returns the current time. The default is time.Now.
	Now func() time.Time
}

// Server serves proxies.
type Server struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	loadstatsv3.UnimplementedLoadReportingServiceServer
	accesslogv3.UnimplementedAccessLogServiceServer

	config  Config
	metrics *metrics
	// log is for events that clients can cause.
	log  *limitedLog
	grpc *grpc.Server

	loadClients loadClients
}

// PendingLimits returns the default limits of connections without a bound stream.
func PendingLimits() connlimit.Limits {
	return connlimit.Limits{Total: maxPending, PerAddress: maxPendingPerAddress, Timeout: pendingTimeout}
}

// NewServer returns a Server.
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
	config.Loads = cmp.Or(config.Loads, loadstats.NewStore(config.Now))
	config.Denials = cmp.Or(config.Denials, denials.NewStore(config.Now))
	config.ConnectionAge = cmp.Or(config.ConnectionAge, maxConnectionAge)
	handshakes := handshake.NewLimiter(max(runtime.GOMAXPROCS(0), handshake.MinActive))
	s := &Server{config: config, metrics: newMetrics(config.Metrics, handshakes), loadClients: loadClients{byStream: map[*snapshot.Stream]*loadClient{}}}
	s.requestCertificates(tlsConfig)
	limits := PendingLimits()
	limits.PerAddress = cmp.Or(config.MaxPendingPerAddress, maxPendingPerAddress)
	pending := connlimit.New(limits, s.metrics.countClosedPending)
	s.log = newLimitedLog(config.Log, config.Now, s.metrics.droppedLines.Inc)
	messages := newMessageLimiter(maxLargeMessages, largeMessageTimeout, s.recordMessageLimit)
	s.grpc = grpc.NewServer(
		grpc.Creds(transport{credentials.NewTLS(tlsConfig), pending, handshakes, messages}),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.ReadBufferSize(0), // TLS has its own buffer
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge:      config.ConnectionAge,
			MaxConnectionAgeGrace: maxConnectionAgeGrace,
			Time:                  keepaliveTime,
			Timeout:               keepaliveTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingInterval, PermitWithoutStream: true}),
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(s.grpc, s)
	loadstatsv3.RegisterLoadReportingServiceServer(s.grpc, s)
	accesslogv3.RegisterAccessLogServiceServer(s.grpc, s)
	return s, nil
}

// Serve accepts connections until ctx ends, then closes the listener and all connections. Proxies keep their configuration and
// reconnect to another replica.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, s.grpc.Stop)
	defer stop()
	requesting, stopRequesting := context.WithCancel(ctx)
	defer stopRequesting()
	go s.keepRequesting(requesting)
	if err := s.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the xDS server on %s stopped: %w", listener.Addr(), err)
	}
	return nil
}

// recordMessageLimit records that a connection was closed because of a limit of messages.
func (s *Server) recordMessageLimit(reason error) {
	s.metrics.rejected.WithLabelValues("messages").Inc()
	s.log.info("Closed a connection", "reason", reason.Error())
}

type metrics struct {
	rejected                                   *prometheus.CounterVec
	nodeMismatches, droppedLines, droppedLoads prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, handshakes *handshake.Limiter) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_proxy_rejected_count", Help: "Streams that were rejected or ended because of the client or its requests.",
		}, []string{"reason"}),
		nodeMismatches: counter("osm_proxy_node_mismatch_count", "Requests whose node ID names another workload than the token."),
		droppedLines:   counter("osm_proxy_rejected_unlogged_count", "Rejections that were not logged because of the rate limit."),
		droppedLoads: counter("osm_proxy_load_report_dropped_count",
			"Clusters in load reports that were not recorded because of a limit."),
	}
	pending := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "osm_proxy_handshake_count", Help: "Connections in their TLS handshake.",
	}, func() float64 { return float64(handshakes.Count()) })
	registerer.MustRegister(m.rejected, m.nodeMismatches, m.droppedLines, m.droppedLoads, pending)
	return m
}

// countClosedPending counts a connection that was closed because it, or too many, had no stream of a known pod.
func (m *metrics) countClosedPending() { m.rejected.WithLabelValues("handshakes").Inc() }

// Unauthenticated clients can cause log lines, so their rate is limited.
const (
	logInterval = time.Second
	logBurst    = 20
)

// limitedLog is a log with a rate limit.
type limitedLog struct {
	logger logr.Logger
	now    func() time.Time
	limit  *rate.Limiter
	// onDropped is called for each dropped line.
	onDropped func()
}

func newLimitedLog(logger logr.Logger, now func() time.Time, onDropped func()) *limitedLog {
	return &limitedLog{logger: logger, now: now, limit: rate.NewLimiter(rate.Every(logInterval), logBurst), onDropped: onDropped}
}

func (l *limitedLog) info(message string, keysAndValues ...any) {
	if !l.limit.AllowN(l.now(), 1) {
		l.onDropped()
		return
	}
	l.logger.Info(message, keysAndValues...)
}
