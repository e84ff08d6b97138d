package snapshot

import (
	"fmt"
	"net/netip"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkEndpointChange measures what a change of one endpoint costs when a thousand streams of as many identities are
// subscribed to it: until each has sent its response and taken the acknowledgement. Nothing is written to a network.
func BenchmarkEndpointChange(b *testing.B) {
	for _, held := range []int{10, 500} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) { benchmarkEndpointChange(b, 1000, held) })
	}
}

func benchmarkEndpointChange(b *testing.B, streams, held int) {
	w := newWorld(streams, held)
	slices := [2]*catalog.EndpointSlice{w.slice(2), w.slice(1)}
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for i := range b.N {
		w.bench.apply(slices[i%2])
		for j, stream := range w.streams {
			sent += w.exchange(b, stream, w.sequencers[j])
		}
	}
	b.StopTimer()
	if sent != b.N*streams {
		b.Fatalf("%d responses were sent for %d changes of %d streams", sent, b.N, streams)
	}
}

// BenchmarkNewService measures what a new Service costs in a mesh where everybody sees everything: until each stream has sent
// its cluster and taken the acknowledgement.
func BenchmarkNewService(b *testing.B) {
	w := newWorld(250, 250)
	newest := meshtest.Service("a", "newest", "nothing", "10.97.0.1", 80, catalog.ProtocolTCP)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.bench.apply(newest)
		for i, stream := range w.streams {
			w.exchange(b, stream, w.sequencers[i])
		}
		b.StopTimer()
		w.bench.remove(newest)
		for i, stream := range w.streams {
			w.exchange(b, stream, w.sequencers[i])
		}
		b.StartTimer()
	}
}

// world is a mesh in permissive mode with streams that hold clusters and endpoints.
type world struct {
	bench      *bench
	service    catalog.Name
	streams    []*Stream
	sequencers []*sequencer
}

func newWorld(streams, services int) *world {
	w := &world{bench: newBench(), service: meshtest.Name("a", "service-0")}
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: true}, w.slice(1), server(1), server(2),
	}
	for i := range services {
		name := fmt.Sprintf("service-%d", i)
		address := netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)}).String()
		entries = append(entries, meshtest.Service("a", name, "nothing", address, 80, catalog.ProtocolTCP))
	}
	clients := make([]*catalog.Pod, streams)
	for i := range clients {
		name := fmt.Sprintf("client-%d", i)
		address := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()
		clients[i] = meshtest.Pod("a", name, name, name, address)
		entries = append(entries, clients[i], accountOf(clients[i]))
	}
	w.bench.store.MarkSynced()
	w.bench.apply(entries...)
	for _, pod := range clients {
		stream, err := w.bench.connect(peerOf(pod))
		if err != nil {
			panic(err)
		}
		w.subscribe(stream, services)
	}
	return w
}

// slice is one version of the endpoints that change.
func (w *world) slice(version byte) *catalog.EndpointSlice {
	return meshtest.Slice(w.service, server(version))
}

// server is a pod behind the service whose endpoints change.
func server(n byte) *catalog.Pod {
	address := netip.AddrFrom4([4]byte{10, 1, 0, n}).String()
	return meshtest.Pod("a", fmt.Sprintf("server-%d", n), "nothing", "server", address)
}

// subscribe makes a stream hold all clusters and endpoints.
func (w *world) subscribe(stream *Stream, services int) {
	q := newSequencer()
	w.streams, w.sequencers = append(w.streams, stream), append(w.sequencers, q)
	endpoints := &discovery.DeltaDiscoveryRequest{TypeUrl: Endpoints.URL()}
	for i := range services {
		endpoints.ResourceNamesSubscribe = append(endpoints.ResourceNamesSubscribe, fmt.Sprintf("a/service-%d|80", i))
	}
	for _, req := range []*discovery.DeltaDiscoveryRequest{{TypeUrl: Clusters.URL()}, endpoints} {
		if err := stream.take(q, req); err != nil {
			panic(err)
		}
		w.exchange(nil, stream, q)
	}
}

// exchange lets a stream send what it may, encodes it, and acknowledges it.
func (w *world) exchange(b *testing.B, stream *Stream, q *sequencer) int {
	sent := 0
	for {
		var last *Response
		_, err := stream.flush(q, func(r *Response) error {
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
		if err := stream.take(q, &discovery.DeltaDiscoveryRequest{TypeUrl: last.Type.URL(), ResponseNonce: last.Nonce}); err != nil {
			b.Fatal(err)
		}
	}
}
