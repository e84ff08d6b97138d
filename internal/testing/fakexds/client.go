package fakexds

import (
	"context"
	"crypto/tls"
	"fmt"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Options are how a Client connects and what it does with responses.
type Options struct {
	// Address of the server, host:port.
	Address string
	TLS     *tls.Config
	// Token is sent as the authorization header; empty sends none.
	Token string
	// NodeID is the claim in the first request.
	NodeID string
	// Node adds to what the client says of itself in the first request; nil adds nothing.
	Node *core.Node
	// Judge says why a response is rejected, or "" to accept it; nil accepts everything.
	Judge func(*discovery.DeltaDiscoveryResponse) string
	// Applied is called on the client's goroutine after a response was applied; nil does nothing.
	Applied func(*discovery.DeltaDiscoveryResponse)
}

// Run connects an Envoy and answers the server until ctx or the stream ends. It returns why.
func Run(ctx context.Context, options Options, envoy *Envoy) error {
	conn, err := grpc.NewClient("passthrough:///"+options.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(options.TLS)),
		grpc.WithReadBufferSize(4<<10))
	if err != nil {
		return fmt.Errorf("the client cannot be made: %w", err)
	}
	defer func() { _ = conn.Close() }()
	return RunOver(ctx, conn, options, envoy)
}

// RunOver is Run over a connection that exists.
func RunOver(ctx context.Context, conn grpc.ClientConnInterface, options Options, envoy *Envoy) error {
	if options.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", options.Token)
	}
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	requests := envoy.Open()
	requests[0].Node = &core.Node{Id: options.NodeID, Cluster: "fake"}
	proto.Merge(requests[0].Node, options.Node)
	for {
		for _, req := range requests {
			if err := stream.Send(req); err != nil {
				break // Recv tells why
			}
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if requests, err = options.answer(envoy, response); err != nil {
			return err
		}
	}
}

func (o *Options) answer(envoy *Envoy, response *discovery.DeltaDiscoveryResponse) ([]*discovery.DeltaDiscoveryRequest, error) {
	if o.Judge != nil {
		if why := o.Judge(response); why != "" {
			return envoy.Reject(response, why), nil
		}
	}
	requests, err := envoy.Receive(response)
	if err == nil && o.Applied != nil {
		o.Applied(response)
	}
	return requests, err
}
