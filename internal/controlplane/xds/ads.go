package xds

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
)

// DeltaAggregatedResources implements discovery.AggregatedDiscoveryServiceServer.
func (s *Server) DeltaAggregatedResources(grpcStream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.serve(grpcStream.Context(), adsClient{
		receive: func() (*discovery.DeltaDiscoveryRequest, func(), error) {
			req, err := grpcStream.Recv()
			return req, handledFunc(grpcStream.Context(), req), err
		},
		send:  func(r *delta.Response) error { return grpcStream.SendMsg(r) },
		serve: (*snapshot.Stream).Serve,
	})
}

// adsClient is the client of a stream, in either form of the protocol.
type adsClient struct {
	// receive returns the next request, and a function to call when it was handled.
	receive func() (req *discovery.DeltaDiscoveryRequest, handled func(), err error)
	send    delta.SendFunc
	serve   func(*snapshot.Stream, context.Context, delta.Client) error
}

// serve serves one client until the stream ends. A client that does not read blocks only its own stream, until the Store closes the connection.
func (s *Server) serve(ctx context.Context, client adsClient) error {
	peer, err := s.authenticateDiscovery(ctx)
	if err != nil {
		return err
	}
	peer.Address = connectionOf(ctx).address()
	stream, err := s.config.Store.Connect(ctx, peer, connectionOf(ctx).abort)
	if err != nil {
		return s.connectStatus(peer, err)
	}
	defer func() {
		stream.Close()
		if client := s.loadClients.of(stream); client != nil {
			s.endReports(client, snapshot.ErrNotConnected)
		}
	}()
	defer connectionOf(ctx).beginStream()()
	served := &adsStream{server: s, client: client, peer: peer, stream: stream, served: true}
	served.timeout = time.AfterFunc(firstRequestTimeout, func() { served.end(ctx, errNoRequest) })
	defer served.stopTimeout()
	err = client.serve(stream, ctx, delta.Client{
		Receive: served.receive, Send: client.send, End: func(cause error) { served.end(ctx, cause) },
	})
	return served.status(err)
}

// adsStream is a discovery stream that is served.
type adsStream struct {
	server *Server
	client adsClient
	peer   Peer
	stream *snapshot.Stream
	// timeout waits for the first request; nil after it.
	timeout *time.Timer
	// handled is called when the last request was handled; nil for none. served is false for a proxy that gets no configuration. They belong to the
	// goroutine that receives, like timeout.
	handled func()
	served  bool

	mu sync.Mutex
	// ended is true once the server has ended the stream, with the status endStatus.
	ended     bool
	endStatus error
}

// receive returns the next request: flow control slows a fast client down. Requests of an unserved proxy are read and dropped. Its stream stays open,
// so that reports show it and it does not reconnect all the time.
func (a *adsStream) receive() (*discovery.DeltaDiscoveryRequest, error) {
	for {
		if a.handled != nil {
			a.handled()
		}
		req, handled, err := a.client.receive()
		if err != nil {
			return nil, err
		}
		first := a.handled == nil
		a.handled = handled
		a.stopTimeout()
		if node := req.GetNode(); node != nil || first {
			if isNodeMismatch(node, a.peer) {
				a.server.metrics.nodeMismatches.Inc()
			}
			a.served = a.server.recordSoftware(a.stream, a.peer, node)
			req.Node = nil
		}
		if a.served {
			return req, nil
		}
	}
}

// stopTimeout stops and releases the timer.
func (a *adsStream) stopTimeout() {
	if a.timeout != nil {
		a.timeout.Stop()
		a.timeout = nil
	}
}

// end ends the stream while its goroutine receives.
func (a *adsStream) end(ctx context.Context, cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.ended, a.endStatus = true, a.server.streamStatus(a.peer, cause)
	finishStream(ctx, status.Convert(a.endStatus))
}

// status returns the gRPC status of a stream that is not served any more.
func (a *adsStream) status(cause error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return a.endStatus
	}
	return a.server.streamStatus(a.peer, cause)
}

// errNoRequest means that a client has opened a stream and sent nothing.
var errNoRequest = errors.New("the client has sent no request on the stream")

// connectStatus returns the gRPC status of an error of Store.Connect.
func (s *Server) connectStatus(peer Peer, err error) error {
	code, reason := codes.Unavailable, "not-ready"
	switch {
	case errors.Is(err, snapshot.ErrUnknown):
		code, reason = codes.Unauthenticated, "unknown"
	case errors.Is(err, snapshot.ErrNoSidecar):
		code, reason = codes.PermissionDenied, "no-sidecar"
	case errors.Is(err, snapshot.ErrAddressMismatch):
		code, reason = codes.PermissionDenied, "address"
	case errors.Is(err, snapshot.ErrFull):
		code, reason = codes.ResourceExhausted, "full"
	case errors.Is(err, snapshot.ErrNotConnected):
		code, reason = codes.Unavailable, "no-discovery"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		code, reason = codes.Canceled, "canceled"
	}
	s.metrics.rejected.WithLabelValues(reason).Inc()
	s.log.info("Rejected a connection", "pod", peer.Pod.String(), "reason", err.Error())
	return status.Error(code, err.Error())
}

// streamStatus returns the gRPC status of an error that ended a stream.
func (s *Server) streamStatus(peer Peer, err error) error {
	var invalid *delta.InvalidRequestError
	switch {
	case errors.As(err, &invalid):
		s.metrics.rejected.WithLabelValues("invalid").Inc()
		s.log.info("Ended a stream because of an invalid request", "pod", peer.Pod.String(), "reason", err.Error())
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, errNoRequest), errors.Is(err, delta.ErrUnanswered):
		s.metrics.rejected.WithLabelValues("silent").Inc()
		s.log.info("Ended a stream", "pod", peer.Pod.String(), "reason", err.Error())
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, snapshot.ErrSuperseded):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, snapshot.ErrGone):
		return status.Error(codes.PermissionDenied, err.Error())
	case errors.Is(err, delta.ErrExpired):
		return status.Error(codes.Unauthenticated, err.Error())
	case errors.Is(err, snapshot.ErrStopped), errors.Is(err, snapshot.ErrBlocked), errors.Is(err, snapshot.ErrNotConnected):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}
