package pods

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// server is a minimal ADS server on a Unix socket, because these tests cover the configuration and not its delivery.
type server struct {
	socket string
	cache  cache.SnapshotCache

	mu       sync.Mutex
	nodes    map[int64]string
	refusals map[string]string
}

func serve(t testing.TB, socket string) *server {
	t.Helper()
	s := &server{
		socket:   socket,
		cache:    cache.NewSnapshotCache(true, cache.IDHash{}, nil),
		nodes:    map[int64]string{},
		refusals: map[string]string{},
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := grpc.NewServer()
	callbacks := serverv3.CallbackFuncs{StreamDeltaRequestFunc: s.request}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, serverv3.NewServer(ctx, s.cache, callbacks))
	go func() { _ = g.Serve(listener) }()
	t.Cleanup(func() {
		cancel()
		g.Stop()
	})
	return s
}

// request records NACKs. Only the first request of a stream contains the node.
func (s *server) request(stream int64, r *discoveryv3.DeltaDiscoveryRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := r.GetNode().GetId(); id != "" {
		s.nodes[stream] = id
	}
	if r.GetErrorDetail() != nil {
		s.refusals[s.nodes[stream]] = r.GetErrorDetail().GetMessage()
	}
	return nil
}

// rejection returns Envoy's error for the last configuration, or "".
func (s *server) rejection(node string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals[node]
}

func (s *server) set(t testing.TB, node string, version int, resources []envoy.Resource) {
	t.Helper()
	s.mu.Lock()
	delete(s.refusals, node)
	s.mu.Unlock()
	byType := map[resource.Type][]types.Resource{}
	for _, r := range resources {
		byType[r.TypeURL] = append(byType[r.TypeURL], r.Message)
	}
	snapshot, err := cache.NewSnapshot(strconv.Itoa(version), byType)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cache.SetSnapshot(context.Background(), node, snapshot); err != nil {
		t.Fatal(err)
	}
}
