package peering

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/handshake"
	"github.com/openservicemesh/osm-operator/internal/platform/connlimit"
)

// Limits of connections. All arrive through the gateway, so they have few addresses.
const (
	// maxPending is how many connections may have no stream yet.
	maxPending = 128
	// maxStreamsOfPeer is how many streams a peer may have. It needs one for each replica of its control plane.
	maxStreamsOfPeer = 8
	// maxConcurrentStreams is how many a connection may have.
	maxConcurrentStreams = 2
	// maxRequestBytes is the maximum size of a request. The versions of all records have about 40 KB.
	maxRequestBytes = 256 << 10
	requestWindow   = 64 << 10
	// connectionAge is when a peer must connect again, with a jitter of 10%. So its certificate is verified again.
	connectionAge      = 12 * time.Hour
	connectionAgeGrace = 5 * time.Second
	// serverPing and serverPingTimeout detect that a peer, or the way to it, is dead.
	serverPing        = 5 * time.Second
	serverPingTimeout = 5 * time.Second
	// minPing limits the pings of peers.
	minPing = 5 * time.Second
)

// Limits are those of a connection of a peer.
type Limits struct {
	// Pending limits connections without a stream.
	Pending connlimit.Limits
	// Age is when a peer must connect again, without jitter.
	Age time.Duration
	// RequestBytes is the maximum size of a request.
	RequestBytes int
}

// ServerLimits returns the limits of the server for peers.
func ServerLimits() Limits {
	return Limits{Pending: pendingLimits(defaultTiming()), Age: connectionAge, RequestBytes: maxRequestBytes}
}

func pendingLimits(times timing) connlimit.Limits {
	return connlimit.Limits{Total: maxPending, PerAddress: maxPending, Timeout: times.pending}
}

// server serves the streams of peers.
type server struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	config    Config
	peers     *registry
	publisher *publisher
	metrics   *metrics
	grpc      *grpc.Server

	mu       sync.Mutex
	sessions map[*session]struct{}
}

func newServer(config Config, peers *registry, metrics *metrics) *server {
	s := &server{config: config, peers: peers, metrics: metrics, sessions: map[*session]struct{}{}}
	s.publisher = newPublisher(config, peers, s.notify)
	pending := connlimit.New(pendingLimits(config.timing), func() { metrics.refused.WithLabelValues("pending").Inc() })
	handshakes := handshake.NewLimiter(max(runtime.GOMAXPROCS(0)/2, 1))
	s.grpc = grpc.NewServer(
		grpc.Creds(transport{credentials.NewTLS(config.serverTLS(peers)), pending, handshakes}),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxConcurrentStreams(maxConcurrentStreams),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.StaticStreamWindowSize(requestWindow),
		grpc.StaticConnWindowSize(requestWindow),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(config.timing.pending),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: connectionAge, MaxConnectionAgeGrace: connectionAgeGrace, Time: serverPing, Timeout: serverPingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(s.grpc, s)
	return s
}

// serve accepts connections until ctx ends, then closes the listener and all connections.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, s.grpc.Stop)
	defer stop()
	if err := s.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the server for peers on %s stopped: %w", listener.Addr(), err)
	}
	return nil
}

// DeltaAggregatedResources implements discovery.AggregatedDiscoveryServiceServer.
func (s *server) DeltaAggregatedResources(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	session, err := s.newSession(stream)
	if err != nil {
		return err
	}
	if err := s.add(session); err != nil {
		return err
	}
	defer s.remove(session)
	defer session.conn.Exempt()()
	err = session.serve(stream.Context())
	s.metrics.refused.WithLabelValues(string(reasonOf(err))).Inc()
	s.config.log.info("The stream of a peer ended", "peer", session.peer.Name, "reason", err.Error())
	return status.Error(codes.Unavailable, describeBriefly(err))
}

// newSession returns a session for the peer that the client has proved to be.
func (s *server) newSession(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) (*session, error) {
	conn, state, ok := connectionOf(stream.Context())
	if !ok {
		return nil, status.Error(codes.Unauthenticated, "the connection has no TLS")
	}
	peer, domain, ok := s.peers.byServerName(state.ServerName, s.config.Domains().Known)
	if !ok {
		return nil, status.Error(codes.PermissionDenied, errUnknownPeer.Error())
	}
	return &session{
		peer: peer, to: audience{peer.Name, domain}, chain: state.PeerCertificates, conn: conn, stream: stream,
		publisher: s.publisher, ackTimeout: s.config.timing.ack, wake: make(chan struct{}, 1),
	}, nil
}

// add adds a session, unless the peer has too many or is none any more.
func (s *server) add(added *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(added); err != nil {
		return status.Error(codes.PermissionDenied, "the certificate is not accepted any more")
	}
	count := s.count(added.peer.Name)
	if count >= maxStreamsOfPeer {
		s.metrics.refused.WithLabelValues("streams").Inc()
		return status.Error(codes.Unavailable, "there are too many streams of this peer")
	}
	s.sessions[added] = struct{}{}
	s.metrics.streams.WithLabelValues(added.peer.Name).Set(float64(count + 1))
	return nil
}

// count returns how many sessions a peer has. The caller holds mu.
func (s *server) count(peer string) int {
	count := 0
	for session := range s.sessions {
		if session.peer.Name == peer {
			count++
		}
	}
	return count
}

// streamsOf returns how many streams a peer has.
func (s *server) streamsOf(peer string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(peer)
}

func (s *server) remove(removed *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, removed)
	if _, exists := s.peers.trusted(removed.peer.Name); exists { // else it has no series
		s.metrics.streams.WithLabelValues(removed.peer.Name).Set(float64(s.count(removed.peer.Name)))
	}
}

// check verifies again that a session is one of a peer.
func (s *server) check(session *session) error {
	return s.peers.verify(session.peer, session.chain, x509.ExtKeyUsageClientAuth)
}

// checkAll ends the sessions of those that are no peers any more, or whose certificates are not accepted any more.
func (s *server) checkAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	declared := map[string]string{}
	for _, peer := range s.peers.list() {
		declared[peer.Name] = peer.TrustDomain
	}
	for session := range s.sessions {
		if declared[session.peer.Name] != session.peer.TrustDomain || s.check(session) != nil {
			_ = session.conn.Close()
		}
	}
}

// recheck calls checkAll until ctx ends, because certificates expire, and followed roots are not trusted any more at some time.
func (s *server) recheck(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.checkAll()
		}
	}
}

// notify wakes the sessions of a peer.
func (s *server) notify(peer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		if session.peer.Name == peer {
			signal(session.wake)
		}
	}
}
