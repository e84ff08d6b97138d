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

// Options configures a Client.
type Options struct {
	// Address is the host:port of the server.
	Address string
	TLS     *tls.Config
	// Token is the bearer token of the stream; an empty one is not sent.
	Token string
	// NodeID is the node ID in the first request.
	NodeID string
	// Node modifies the node of the first request; it may be nil.
	Node *core.Node
	// Reject returns the error detail with which a response is rejected, or "" to accept it. Nil accepts every response.
	Reject func(*discovery.DeltaDiscoveryResponse) string
	// Applied is called on the client's goroutine after a response was applied; it may be nil.
	Applied func(*discovery.DeltaDiscoveryResponse)
}

// Run connects an Envoy and responds to the server until ctx or the stream ends. It returns the cause.
func Run(ctx context.Context, options Options, envoy *Envoy) error {
	conn, err := grpc.NewClient("passthrough:///"+options.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(options.TLS)),
		grpc.WithReadBufferSize(4<<10))
	if err != nil {
		return fmt.Errorf("the client cannot be created: %w", err)
	}
	defer func() { _ = conn.Close() }()
	return RunOver(ctx, conn, options, envoy)
}

// RunOver is Run over an existing connection.
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
				break // Recv returns the error
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
	if o.Reject != nil {
		if why := o.Reject(response); why != "" {
			return envoy.Reject(response, why), nil
		}
	}
	requests, err := envoy.Receive(response)
	if err == nil && o.Applied != nil {
		o.Applied(response)
	}
	return requests, err
}
