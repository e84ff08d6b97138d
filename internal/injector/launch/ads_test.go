package launch

import (
	"net"
	"sync"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// ads is a control plane that knows its sidecars by their epochs.
type ads struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	// resources returns what an Envoy gets; nil holds the answer back.
	resources func(epoch int, typeURL string) []envoy.Resource

	mu      sync.Mutex
	streams map[int]*adsStream
	// rejected are the types that Envoys have rejected.
	rejected []string
}

type adsStream struct {
	mu     sync.Mutex
	server discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
	slot   string
}

// serveADS starts a control plane and returns its port.
func serveADS(t *testing.T, resources func(epoch int, typeURL string) []envoy.Resource) (*ads, int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &ads{resources: resources, streams: map[int]*adsStream{}}
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, a)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return a, listener.Addr().(*net.TCPAddr).Port
}

func (a *ads) DeltaAggregatedResources(server discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	stream, epoch := &adsStream{server: server}, 0
	for {
		request, err := server.Recv()
		if err != nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.streams[epoch] == stream {
				delete(a.streams, epoch)
			}
			return err
		}
		if epoch == 0 {
			metadata := request.GetNode().GetMetadata().GetFields()
			epoch, stream.slot = int(metadata["epoch"].GetNumberValue()), metadata["slot"].GetStringValue()
			a.mu.Lock()
			a.streams[epoch] = stream
			a.mu.Unlock()
		}
		switch {
		case request.GetErrorDetail() != nil:
			a.mu.Lock()
			a.rejected = append(a.rejected, request.GetTypeUrl())
			a.mu.Unlock()
		case request.GetResponseNonce() == "":
			if resources := a.resources(epoch, request.GetTypeUrl()); resources != nil {
				if err := stream.send(request.GetTypeUrl(), resources); err != nil {
					return err
				}
			}
		}
	}
}

func (s *adsStream) send(typeURL string, resources []envoy.Resource) error {
	response := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: typeURL, Nonce: "1"}
	for _, r := range resources {
		packed, err := anypb.New(r.Message)
		if err != nil {
			return err
		}
		content, err := proto.Marshal(packed)
		if err != nil {
			return err
		}
		response.Resources = append(response.Resources, &discoveryv3.Resource{Name: r.Name, Version: string(rune(len(content))), Resource: packed})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.Send(response)
}

// stream returns the stream of an epoch, and nil without one.
func (a *ads) stream(epoch int) *adsStream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.streams[epoch]
}

// rejections returns how many answers Envoys have rejected.
func (a *ads) rejections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.rejected)
}
