package xds

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const (
	// services is the number of Services in the mesh. Their configuration exceeds the flow control windows of a connection.
	services = 120
	// latest is the maximum delay of a change at a good sidecar while another one misbehaves. It is far above the usual delay,
	// because tests share their machine.
	latest = 8 * time.Second
	// maxGrowth is the maximum growth of the heap over a test, in bytes.
	maxGrowth = 48 << 20
)

// isolation is a mesh with a connected good sidecar, and the token of a bad one.
type isolation struct {
	*control
	mesh mesh
	good *proxy
	bad  string
}

func newIsolation(t *testing.T, count int) *isolation {
	i := &isolation{mesh: newMesh()}
	bad := meshtest.Pod("a", "bad", "bad", "bad", "10.0.0.66")
	entries := append(i.mesh.entries(), bad, accountOf(bad), &catalog.Settings{Permissive: true})
	i.control = start(t, append(entries, manyServices(i.mesh, count)...)...)
	i.store.MarkSynced()
	i.bad = i.tokenOf(bad)
	i.good = i.connect(t, i.tokenOf(i.mesh.client), fakexds.NewEnvoy())
	i.good.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
	return i
}

// manyServices returns Services that all select the workload "server".
func manyServices(m mesh, count int) []catalog.Entry {
	var entries []catalog.Entry
	for n := range count {
		address := fmt.Sprintf("10.97.%d.%d", n/250, n%250+1)
		name := fmt.Sprintf("service-%04d-%s", n, strings.Repeat("x", 50)) // 63 characters, the maximum length of a Service name
		service := meshtest.Service("a", name, "server", address, 80, inventory.ProtocolHTTP)
		entries = append(entries, service, meshtest.Slice(service.Name, m.server))
	}
	return entries
}

// open opens a stream as the bad sidecar, over a connection of its own.
func (i *isolation) open(ctx context.Context) (discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient, func(), error) {
	const window = 1 << 16 // a set window does not grow
	conn, err := grpc.NewClient("passthrough:///"+i.address, grpc.WithTransportCredentials(credentials.NewTLS(i.tls)),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	if err != nil {
		return nil, nil, err
	}
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(
		metadata.AppendToOutgoingContext(ctx, "authorization", i.bad))
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return stream, func() { _ = conn.Close() }, nil
}

// check changes endpoints while abuse runs. It asserts that the good sidecar receives each change in time, and that no memory is
// retained.
func (i *isolation) check(t *testing.T, abuse func(ctx context.Context)) {
	t.Helper()
	before := heap()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		abuse(ctx)
	}()
	worst := time.Duration(0)
	for n := range 40 {
		second := meshtest.Pod("a", "second", "server", "server", fmt.Sprint("10.0.1.", n+1))
		began := time.Now()
		i.apply(second, meshtest.Slice(i.mesh.service.Name, i.mesh.server, second))
		i.good.waitFor(t, fakexds.EndpointType, "a/server|80")
		worst = max(worst, time.Since(began))
		time.Sleep(10 * time.Millisecond) // abuse runs between two changes
	}
	if worst > latest {
		t.Errorf("a change took %s to reach a good sidecar", worst)
	}
	if grown := int64(heap()) - int64(before); grown > maxGrowth {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
	cancel()
	<-done
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

var allTypes = []string{fakexds.ClusterType, fakexds.ListenerType}

// TestThreat49StuckReaderDoesNotAffectOthers opens a stream that is never read.
func TestThreat49StuckReaderDoesNotAffectOthers(t *testing.T) {
	i := newIsolation(t, services)
	i.check(t, func(ctx context.Context) {
		stream, end, err := i.open(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer end()
		for _, typeURL := range allTypes {
			_ = stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL})
		}
		<-ctx.Done()
	})
}

// TestThreat49SlowReaderDoesNotAffectOthers reads and acknowledges one response every 50 ms.
func TestThreat49SlowReaderDoesNotAffectOthers(t *testing.T) {
	i := newIsolation(t, services)
	i.check(t, func(ctx context.Context) {
		i.answer(ctx, t, 50*time.Millisecond, func(*discovery.DeltaDiscoveryResponse) *rpc.Status { return nil })
	})
}

// TestThreat51NackLoopDoesNotAffectOthers rejects every response immediately.
func TestThreat51NackLoopDoesNotAffectOthers(t *testing.T) {
	i := newIsolation(t, services)
	i.check(t, func(ctx context.Context) {
		i.answer(ctx, t, 0, func(*discovery.DeltaDiscoveryResponse) *rpc.Status { return &rpc.Status{Code: 13, Message: "no"} })
	})
}

// answer subscribes to everything and answers each response after a pause, until ctx ends.
func (i *isolation) answer(ctx context.Context, t *testing.T, pause time.Duration, nack func(*discovery.DeltaDiscoveryResponse) *rpc.Status) {
	stream, end, err := i.open(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	defer end()
	for _, typeURL := range allTypes {
		_ = stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL})
	}
	for ctx.Err() == nil {
		response, err := stream.Recv()
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("the stream ended: %v", err)
			}
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		_ = stream.Send(&discovery.DeltaDiscoveryRequest{
			TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce(), ErrorDetail: nack(response),
		})
	}
}

// TestThreat53NamesWithoutEndDoNotAffectOthers subscribes to names that do not exist, tens of thousands in a request, and reconnects
// when the server ends its stream.
func TestThreat53NamesWithoutEndDoNotAffectOthers(t *testing.T) {
	i := newIsolation(t, services)
	var thrownOut, asked atomic.Int64
	i.check(t, func(ctx context.Context) {
		for ctx.Err() == nil {
			stream, end, err := i.open(ctx)
			if err != nil {
				if ctx.Err() == nil { // the test may end while the client connects again
					t.Error(err)
				}
				return
			}
			for round := 0; ; round++ {
				req := &discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.RouteType}
				for n := range 40_000 {
					req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, fmt.Sprintf("nothing-%d-%d", round, n))
				}
				asked.Add(int64(len(req.GetResourceNamesSubscribe())))
				if stream.Send(req) != nil {
					break
				}
				if _, err := stream.Recv(); err != nil {
					break
				}
			}
			thrownOut.Add(1)
			end()
		}
	})
	if thrownOut.Load() < 2 {
		t.Errorf("%d names were asked for, and the stream ended only %d times", asked.Load(), thrownOut.Load())
	}
}

// TestThreat50ReconnectsDoNotAffectOthers opens new connections continuously, eight at a time.
func TestThreat50ReconnectsDoNotAffectOthers(t *testing.T) {
	i := newIsolation(t, 20)
	const connections, workers = 500, 8
	goroutines := runtime.NumGoroutine()
	began := time.Now()
	i.check(t, func(context.Context) {
		var wait sync.WaitGroup
		var next atomic.Int64
		for range workers {
			wait.Go(func() {
				for next.Add(1) <= connections {
					stream, end, err := i.open(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					_ = stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.ClusterType})
					_, _ = stream.Recv() // a newer connection of the same pod may have ended this one
					end()
				}
			})
		}
		wait.Wait()
	})
	if took := time.Since(began); took > time.Minute {
		t.Errorf("%d connections took %s", connections, took)
	}
	eventually.True(t, waitLimit, "one sidecar is connected, and the goroutines of the others have ended", func() bool { return runtime.NumGoroutine() <= goroutines+5 && len(i.store.Proxies()) == 1 })
}

// TestThreat52ConfigurationOver4MB gives one sidecar more listeners than fit into one message.
func TestThreat52ConfigurationOver4MB(t *testing.T) {
	const many, limit = 3000, 4 << 20
	m := newMesh()
	c := start(t, append(manyServices(m, many), m.entries()...)...)
	c.apply(&catalog.Settings{Permissive: true})
	c.store.MarkSynced()
	conn, _ := c.dial(t, "")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", c.tokenOf(m.client))
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.ListenerType}); err != nil {
		t.Fatal(err)
	}
	bytes, listeners := 0, map[string]bool{}
	for len(listeners) < many {
		response, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d listeners: %v", len(listeners), err)
		}
		bytes += proto.Size(response)
		for _, res := range response.GetResources() {
			listeners[res.GetName()] = true
		}
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.ListenerType, ResponseNonce: response.GetNonce()}); err != nil {
			t.Fatal(err)
		}
	}
	if bytes < limit {
		t.Errorf("the listeners have only %d bytes: this test shows nothing", bytes)
	}
}
