package snapshot

import (
	"fmt"
	"net/netip"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkEndpointChange measures the change of one endpoint that a thousand streams of different identities subscribe to, until
// each stream has encoded its response and handled the ACK. It does not include the network.
func BenchmarkEndpointChange(b *testing.B) {
	for _, held := range []int{10, 500} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) { benchmarkEndpointChange(b, 1000, held) })
	}
}

func benchmarkEndpointChange(b *testing.B, streams, held int) {
	f := newFleet(streams, held)
	slices := [2]*inventory.EndpointSlice{f.slice(2), f.slice(1)}
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for i := range b.N {
		f.harness.apply(slices[i%2])
		for _, session := range f.sessions {
			sent += f.exchange(b, session)
		}
	}
	b.StopTimer()
	if sent != b.N*streams {
		b.Fatalf("%d responses were sent for %d changes of %d streams", sent, b.N, streams)
	}
}

// BenchmarkNewService measures a new Service in permissive mode, until each stream has encoded its cluster and handled the ACK.
func BenchmarkNewService(b *testing.B) {
	f := newFleet(250, 250)
	newest := meshtest.Service("a", "newest", "nothing", "10.97.0.1", 80, inventory.ProtocolTCP)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		f.harness.apply(newest)
		for _, session := range f.sessions {
			f.exchange(b, session)
		}
		b.StopTimer()
		f.harness.remove(newest)
		for _, session := range f.sessions {
			f.exchange(b, session)
		}
		b.StartTimer()
	}
}

// BenchmarkUnusedService measures a new Service in permissive mode that none of 500 sidecars calls, which load destinations on demand.
func BenchmarkUnusedService(b *testing.B) {
	for _, services := range []int{250, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			f := newFleetOf(500, services, true)
			newest := meshtest.Service("a", "newest", "nothing", "10.97.0.1", 80, inventory.ProtocolHTTP)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				f.harness.apply(newest)
				b.StopTimer()
				f.harness.remove(newest)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkRouteChange measures the change of one of twelve HTTPRoutes of a Service, until the scopes of its clients are translated. Each may call four such
// Services.
func BenchmarkRouteChange(b *testing.B) {
	m := mesh.New(mesh.Policy, 40)
	m.Routes = 12
	h := newHarness()
	h.store.MarkSynced()
	h.apply(m.Entries()...)
	for i := range m.Sidecars() {
		peer := peerOf(m.Pod(i))
		peer.ServiceAccountUID = mesh.AccountUID(peer.ServiceAccount)
		stream, err := h.tryConnect(peer)
		if err != nil {
			b.Fatal(err)
		}
		session := stream.delta.NewSession(delta.Options{})
		if err := session.Handle(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Routes.URL()}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for _, change := range m.Next(mesh.Route).Changes {
			h.apply(change.Entry)
		}
	}
}

// fleet is a mesh in permissive mode with streams that subscribe to all clusters and endpoints.
type fleet struct {
	harness  *harness
	service  entity.Name
	sessions []*delta.Session
}

func newFleet(streams, services int) *fleet { return newFleetOf(streams, services, false) }

func newFleetOf(streams, services int, onDemand bool) *fleet {
	f := &fleet{harness: newHarness(), service: meshtest.Name("a", "service-0")}
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: true}, f.slice(1), server(1), server(2),
		&catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}},
	}
	protocol := inventory.ProtocolTCP
	if onDemand {
		protocol = inventory.ProtocolHTTP
	}
	for i := range services {
		name := fmt.Sprintf("service-%d", i)
		address := netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)}).String()
		entries = append(entries, meshtest.Service("a", name, "nothing", address, 80, protocol))
	}
	clients := make([]*inventory.Instance, streams)
	for i := range clients {
		name := fmt.Sprintf("client-%d", i)
		address := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()
		clients[i] = meshtest.Pod("a", name, name, name, address)
		clients[i].OnDemand = onDemand
		entries = append(entries, clients[i], accountOf(clients[i]))
	}
	f.harness.store.MarkSynced()
	f.harness.apply(entries...)
	for _, pod := range clients {
		stream, err := f.harness.tryConnect(peerOf(pod))
		if err != nil {
			panic(err)
		}
		f.subscribe(stream, services)
	}
	return f
}

// slice returns one version of the endpoints.
func (f *fleet) slice(version byte) *inventory.EndpointSlice {
	return meshtest.Slice(f.service, server(version))
}

// server returns a pod behind the service.
func server(n byte) *inventory.Instance {
	address := netip.AddrFrom4([4]byte{10, 1, 0, n}).String()
	return meshtest.Pod("a", fmt.Sprintf("server-%d", n), "nothing", "server", address)
}

// subscribe subscribes a stream to all clusters and endpoints.
func (f *fleet) subscribe(stream *Stream, services int) {
	session := stream.delta.NewSession(delta.Options{})
	f.sessions = append(f.sessions, session)
	endpoints := &discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Endpoints.URL()}
	for i := range services {
		endpoints.ResourceNamesSubscribe = append(endpoints.ResourceNamesSubscribe, fmt.Sprintf("a/service-%d|80", i))
	}
	for _, req := range []*discovery.DeltaDiscoveryRequest{{TypeUrl: resourcetype.Clusters.URL()}, endpoints} {
		if err := session.Handle(req); err != nil {
			panic(err)
		}
		f.exchange(nil, session)
	}
}

// exchange encodes and acknowledges everything that may be sent, and returns the number of responses.
func (f *fleet) exchange(b *testing.B, session *delta.Session) int {
	sent := 0
	for {
		var last *delta.Response
		_, err := session.Flush(func(r *delta.Response) error {
			last = r
			sent++
			_ = r.Encode()
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		if last == nil {
			return sent
		}
		if err := session.Handle(&discovery.DeltaDiscoveryRequest{TypeUrl: last.Type.URL(), ResponseNonce: last.Nonce}); err != nil {
			b.Fatal(err)
		}
	}
}
