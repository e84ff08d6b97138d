package server

import (
	"context"
	"net"
	"sync/atomic"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// bare accepts connections and streams without responding.
type bare struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	grpc *grpc.Server
	read atomic.Int64
}

func newBare(a authority) *bare {
	b := &bare{grpc: grpc.NewServer(append(a.grpcOptions(), grpc.ReadBufferSize(0))...)}
	discovery.RegisterAggregatedDiscoveryServiceServer(b.grpc, b)
	return b
}

// DeltaAggregatedResources reads requests until the stream ends.
func (b *bare) DeltaAggregatedResources(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		b.read.Add(1)
	}
}

func (b *bare) serve(ctx context.Context, listener net.Listener) error {
	defer context.AfterFunc(ctx, b.grpc.Stop)()
	if err := b.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (b *bare) prepare(mesh.Change) error { return nil }

func (b *bare) change() error { return nil }

func (b *bare) requests() int64 { return b.read.Load() }
