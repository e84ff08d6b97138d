package datapath

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// BenchmarkDataPath sends 1,000 requests per second from one pod to another. Its metrics are latencies in microseconds and the CPU time of
// both sidecars for each request.
func BenchmarkDataPath(b *testing.B) {
	for _, protocol := range protocols {
		for _, path := range paths {
			b.Run(protocol.name+"/"+path.name, func(b *testing.B) { measure(b, path.pair(b, protocol), protocol) })
		}
	}
}

func measure(b *testing.B, p pair, protocol protocol) {
	connect := func(t testing.TB) exchange { return protocol.connect(t, p.client, p.address) }
	awaitResponse(b, connect)
	exchanges := open(b, connect)
	send(b, rate, rate, exchanges)
	before := usageOf(b, p.sidecars()...)
	b.ResetTimer()
	measured := send(b, b.N, rate, exchanges)
	b.StopTimer()
	used := usageOf(b, p.sidecars()...)
	measured.report(b, "")
	b.ReportMetric(float64((used.CPU-before.CPU).Microseconds())/float64(b.N), "cpu-µs/op")
}

func usageOf(t testing.TB, pids ...int) procusage.Usage {
	t.Helper()
	used, err := procusage.Of(pids...)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// awaitResponse waits until the server answers.
func awaitResponse(t testing.TB, connect func(testing.TB) exchange) {
	t.Helper()
	var err error
	eventually.True(t, 20*time.Second, "a response arrives", func() bool {
		err = connect(t)()
		return err == nil
	})
}

// BenchmarkMemory measures the memory of a sidecar that can reach a number of Services.
func BenchmarkMemory(b *testing.B) {
	for _, services := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			n := pods.NewNetwork(b)
			client := sidecar(b, n, "client")
			s, endpoints := manyServices(services)
			client.Configure(b, s, endpoints...)
			var used procusage.Usage
			for b.Loop() {
				used = usageOf(b, client.PID)
			}
			b.ReportMetric(float64(used.Resident)/1e6, "MB")
			b.ReportMetric(float64(used.Private)/1e6, "private-MB")
		})
	}
}

// BenchmarkMemoryOnDemand is BenchmarkMemory for a sidecar that loads destinations on demand, and that has loaded at most ten.
func BenchmarkMemoryOnDemand(b *testing.B) {
	for _, services := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			n := pods.NewNetwork(b)
			client := sidecar(b, n, "client")
			s, endpoints := onDemand(manyServices(services))
			client.Configure(b, s, endpoints...)
			var used procusage.Usage
			for b.Loop() {
				used = usageOf(b, client.PID)
			}
			b.ReportMetric(float64(used.Resident)/1e6, "MB")
			b.ReportMetric(float64(used.Private)/1e6, "private-MB")
		})
	}
}

// onDemand makes the client load destinations on demand. It has loaded the first ten.
func onDemand(s *scope.Scope, endpoints []scope.Endpoints) (*scope.Scope, []scope.Endpoints) {
	const loaded = 10
	s.Key.Class.OnDemand, s.ServiceRanges = true, []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	s.LoadOnDemand()
	s.Clusters = s.Clusters[:min(loaded, len(s.Clusters))]
	endpoints = endpoints[:len(s.Clusters)]
	for i := range endpoints {
		endpoints[i].Key.Destination = s.Clusters[i].Destination
	}
	return s, endpoints
}

// manyServices returns a client that can reach Services with two pods each.
func manyServices(count int) (*scope.Scope, []scope.Endpoints) {
	s := &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: "shop", Name: "buyer"}, Class: scope.Class{Metrics: true}},
			TrustDomain: trustDomain,
		},
	}
	var endpoints []scope.Endpoints
	for i := range count {
		high, low := byte(i/200), byte(i%200+1)
		name := entity.Name{Namespace: "shop", Name: fmt.Sprintf("service-%04d", i)}
		withService(s, protocols[0], name, netip.AddrFrom4([4]byte{10, 96, high, low}))
		endpoints = append(endpoints, scope.Endpoints{
			Key: scope.EndpointsKey{Service: name, TargetPort: protocols[0].port},
			Addresses: []netip.AddrPort{
				netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 78, high, low}), protocols[0].port),
				netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 79, high, low}), protocols[0].port),
			},
			Workloads: []inventory.Workload{{Kind: "Deployment", Name: name.Name}, {Kind: "Deployment", Name: name.Name}},
		})
	}
	return s, endpoints
}

// Every path carries every protocol. The benchmarks measure nothing otherwise.
func TestPathsAnswer(t *testing.T) {
	for _, protocol := range protocols {
		for _, path := range paths {
			t.Run(protocol.name+"/"+path.name, func(t *testing.T) {
				t.Parallel()
				p := path.pair(t, protocol)
				awaitResponse(t, func(t testing.TB) exchange { return protocol.connect(t, p.client, p.address) })
			})
		}
	}
}
