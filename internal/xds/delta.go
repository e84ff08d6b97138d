package xds

import (
	"context"
	"errors"
	"io"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// StreamAggregatedResources is the older form of discovery, which no sidecar of this mesh uses.
func (s *Server) StreamAggregatedResources(discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return status.Error(codes.Unimplemented, "state-of-the-world discovery is not served: set api_type DELTA_GRPC in ads_config")
}

// DeltaAggregatedResources serves one sidecar until it leaves or must.
//
// Reading has a goroutine of its own; deciding and writing happen here. A sidecar that does not read blocks nobody else, and
// the Store cuts its connection in the end.
func (s *Server) DeltaAggregatedResources(transport discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	ctx := transport.Context()
	peer, err := s.authenticate(ctx)
	if err != nil {
		return err
	}
	stream, err := s.config.Store.Connect(ctx, peer, connectionOf(ctx).cut)
	if err != nil {
		return s.refuse(peer, err)
	}
	defer stream.Close()

	requests := make(chan *discovery.DeltaDiscoveryRequest)
	var failure error
	go func() {
		failure = s.receive(transport, peer, requests)
		close(requests)
	}()
	err = stream.Serve(ctx, requests, func(r *snapshot.Response) error { return transport.SendMsg(r) })
	if err == nil { // requests was closed
		err = failure
	}
	return s.ended(peer, err)
}

// receive passes requests on, one at a time: what is not taken yet stays in the connection and slows the sidecar down.
func (s *Server) receive(transport discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer, peer Peer,
	requests chan<- *discovery.DeltaDiscoveryRequest) error {
	ctx := transport.Context()
	for {
		req, err := transport.Recv()
		if err != nil {
			return err
		}
		if claimsAnother(req.GetNode(), peer) {
			s.metrics.claims.Inc()
		}
		req.Node = nil
		select {
		case requests <- req:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refuse is the status of a connection that was not bound to a pod.
func (s *Server) refuse(peer Peer, err error) error {
	code, reason := refusal(err)
	s.metrics.refused.WithLabelValues(reason).Inc()
	s.config.Log.Info("a connection was refused", "pod", peer.Pod.String(), "reason", err.Error())
	return status.Error(code, err.Error())
}

func refusal(err error) (codes.Code, string) {
	switch {
	case errors.Is(err, snapshot.ErrUnknown):
		return codes.Unauthenticated, "unknown"
	case errors.Is(err, snapshot.ErrNoSidecar):
		return codes.PermissionDenied, "no-sidecar"
	case errors.Is(err, snapshot.ErrFull):
		return codes.ResourceExhausted, "full"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return codes.Canceled, "canceled"
	default:
		return codes.Unavailable, "not-ready"
	}
}

// ended is the status of a stream that was served.
func (s *Server) ended(peer Peer, err error) error {
	var invalid *snapshot.Invalid
	switch {
	case errors.As(err, &invalid):
		s.metrics.refused.WithLabelValues("invalid").Inc()
		s.config.Log.Info("a stream ended because of a request that no Envoy sends", "pod", peer.Pod.String(), "reason", err.Error())
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, snapshot.ErrSuperseded):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, snapshot.ErrGone):
		return status.Error(codes.PermissionDenied, err.Error())
	case errors.Is(err, snapshot.ErrExpired):
		return status.Error(codes.Unauthenticated, err.Error())
	case errors.Is(err, snapshot.ErrStopped), errors.Is(err, snapshot.ErrStuck):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}
