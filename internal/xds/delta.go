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

// DeltaAggregatedResources serves one sidecar until it leaves or must.
func (s *Server) DeltaAggregatedResources(transport discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.serve(transport.Context(), session{
		receive: transport.Recv,
		send:    func(r *snapshot.Response) error { return transport.SendMsg(r) },
	})
}

// session is the other end of a stream, in whatever form it speaks.
type session struct {
	receive func() (*discovery.DeltaDiscoveryRequest, error)
	send    func(*snapshot.Response) error
	// whole is set when responses must not be divided.
	whole bool
}

// serve serves one client until it leaves or must.
//
// Reading has a goroutine of its own; deciding and writing happen here. A sidecar that does not read blocks nobody else, and
// the Store cuts its connection in the end.
func (s *Server) serve(ctx context.Context, session session) error {
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
		failure = s.receive(ctx, session, peer, stream, requests)
		close(requests)
	}()
	if session.whole {
		err = stream.ServeWhole(ctx, requests, session.send)
	} else {
		err = stream.Serve(ctx, requests, session.send)
	}
	if err == nil { // requests was closed
		err = failure
	}
	return s.ended(peer, err)
}

// receive passes requests on, one at a time: what is not taken yet stays in the connection and slows the sidecar down. Those of a
// sidecar that is not served are read and not passed on: it is connected, so that it is seen and does not try again and again, and
// is sent nothing that it could misunderstand.
func (s *Server) receive(ctx context.Context, session session, peer Peer, stream *snapshot.Stream, requests chan<- *discovery.DeltaDiscoveryRequest) error {
	served := true
	for {
		req, err := session.receive()
		if err != nil {
			return err
		}
		if node := req.GetNode(); node != nil {
			if claimsAnother(node, peer) {
				s.metrics.claims.Inc()
			}
			served = s.introduce(stream, peer, node)
			req.Node = nil
		}
		if !served {
			continue
		}
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
	s.refusals.log("a connection was refused", "pod", peer.Pod.String(), "reason", err.Error())
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
		s.refusals.log("a stream ended because of a request that no Envoy sends", "pod", peer.Pod.String(), "reason", err.Error())
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
