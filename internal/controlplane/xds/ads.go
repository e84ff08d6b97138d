package xds

import (
	"context"
	"errors"
	"io"
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
	// receive returns the next request, and a function to call when it was passed on.
	receive func() (req *discovery.DeltaDiscoveryRequest, handled func(), err error)
	send    delta.SendFunc
	serve   func(*snapshot.Stream, context.Context, <-chan *discovery.DeltaDiscoveryRequest, delta.SendFunc) error
}

// serve serves one client until the stream ends. Requests are read on another goroutine. A client that does not read blocks only
// its own stream, until the Store closes the connection.
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
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timeout := time.AfterFunc(firstRequestTimeout, func() { cancel(errNoRequest) })
	defer timeout.Stop()

	requests := make(chan *discovery.DeltaDiscoveryRequest)
	var receiveErr error
	go func() {
		receiveErr = s.receive(ctx, client, peer, stream, timeout, requests)
		close(requests)
	}()
	err = client.serve(stream, ctx, requests, client.send)
	switch {
	case err == nil: // requests was closed
		err = receiveErr
	case errors.Is(context.Cause(ctx), errNoRequest):
		err = errNoRequest
	}
	return s.streamStatus(peer, err)
}

// receive forwards requests, one at a time: flow control slows a fast client down. Requests of an unserved proxy are read and
// dropped. Its stream stays open, so that reports show it and it does not reconnect all the time.
func (s *Server) receive(ctx context.Context, client adsClient, peer Peer, stream *snapshot.Stream, timeout *time.Timer,
	requests chan<- *discovery.DeltaDiscoveryRequest,
) error {
	served := true
	for first := true; ; first = false {
		req, handled, err := client.receive()
		if err != nil {
			return err
		}
		timeout.Stop()
		if node := req.GetNode(); node != nil || first {
			if isNodeMismatch(node, peer) {
				s.metrics.nodeMismatches.Inc()
			}
			served = s.recordSoftware(stream, peer, node)
			req.Node = nil
		}
		if !served {
			handled()
			continue
		}
		select {
		case requests <- req:
			handled()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
