package bootstrap

import (
	"crypto/tls"
	"sync"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstatsv3 "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// fakeADS answers every request with an empty response once it is enabled.
type fakeADS struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	loadstatsv3.UnimplementedLoadReportingServiceServer
	answer chan struct{}

	mu sync.Mutex
	// tokens are the credentials of all streams so far; loads counts load reporting streams.
	tokens []string
	loads  int
	nodes  []string
}

// serveADS starts a control plane in a network namespace, with a certificate of an authority for a DNS name.
func serveADS(t *testing.T, ns *nstest.Namespace, a *authority, dnsName string) (ads *fakeADS, stop func()) {
	t.Helper()
	return serveADSAt(t, ns, "127.0.0.1:15128", a, dnsName)
}

func serveADSAt(t *testing.T, ns *nstest.Namespace, address string, a *authority, dnsName string) (ads *fakeADS, stop func()) {
	t.Helper()
	ads = &fakeADS{answer: make(chan struct{})}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{a.server(t, dnsName)}, MinVersion: tls.VersionTLS13,
	})))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, ads)
	loadstatsv3.RegisterLoadReportingServiceServer(server, ads)
	listener := ns.Listen(t, address)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return ads, server.Stop
}

func (f *fakeADS) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	headers, _ := metadata.FromIncomingContext(stream.Context())
	f.mu.Lock()
	f.tokens = append(f.tokens, headers.Get("authorization")...)
	f.mu.Unlock()
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		if request.GetResponseNonce() != "" {
			continue
		}
		f.mu.Lock()
		f.nodes = append(f.nodes, request.GetNode().GetId())
		f.mu.Unlock()
		select {
		case <-f.answer:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		if err := stream.Send(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: request.GetTypeUrl(), Nonce: "1"}); err != nil {
			return err
		}
	}
}

func (f *fakeADS) StreamLoadStats(stream loadstatsv3.LoadReportingService_StreamLoadStatsServer) error {
	f.mu.Lock()
	f.loads++
	f.mu.Unlock()
	<-stream.Context().Done()
	return stream.Context().Err()
}

// saw reports whether a stream was authenticated with the token.
func (f *fakeADS) saw(token string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, seen := range f.tokens {
		if seen == token {
			return true
		}
	}
	return false
}
