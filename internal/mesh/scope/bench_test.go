package scope_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkBuild builds the scope of a client by its number of Services: with policies, in a permissive mesh, and
// there with shared destinations.
func BenchmarkBuild(b *testing.B) {
	for _, services := range []int{5, 500} {
		strict, permissive := offering(services, false), offering(services, true)
		key := scope.KeyFor(strict.View(), meshtest.Pod("a", "client", "client", "client", "10.0.0.1"))
		shared := scope.SharedDestinations(permissive.View())
		run := func(name string, build func() *scope.Scope) {
			b.Run(fmt.Sprintf("%s/services=%d", name, services), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if s := build(); len(s.Outbound) != services {
						b.Fatalf("the client may call %d Services, want %d", len(s.Outbound), services)
					}
				}
			})
		}
		run("policy", func() *scope.Scope { return scope.Build(strict.View(), "mesh.test", key) })
		run("permissive", func() *scope.Scope { return scope.Build(permissive.View(), "mesh.test", key) })
		run("shared", func() *scope.Scope {
			return scope.BuildWithShared(permissive.View(), identity.OneTrustDomain("mesh.test"), key, shared)
		})
	}
}

// BenchmarkBuildEndpoints builds the endpoints of a Service with two pods.
func BenchmarkBuildEndpoints(b *testing.B) {
	c := offering(1, false)
	key := scope.EndpointsKey{Service: meshtest.Name("a", "service-0"), TargetPort: 80}
	b.ReportAllocs()
	for b.Loop() {
		if e := scope.BuildEndpoints(c.View(), key); len(e.Addresses) != 2 {
			b.Fatalf("%d endpoints, want 2", len(e.Addresses))
		}
	}
}

// offering is a mesh whose Services, with two pods each, a/client may call.
func offering(services int, permissive bool) *catalog.Catalog {
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{Permissive: permissive},
		meshtest.Group("a", "routes", "/x"),
	}
	for i := range services {
		name := fmt.Sprintf("service-%d", i)
		at := func(net, host byte) string {
			return netip.AddrFrom4([4]byte{net, byte(i >> 8), byte(i), host}).String()
		}
		one := meshtest.Pod("a", name+"-1", name, name, at(10, 1))
		two := meshtest.Pod("a", name+"-2", name, name, at(10, 2))
		service := meshtest.Service("a", name, name, at(172, 0), 80, inventory.ProtocolHTTP)
		entries = append(entries, one, two, service, meshtest.Slice(service.Name, one, two),
			meshtest.Target(name, one.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, meshtest.SA("a", "client")))
	}
	return meshtest.Apply(entries...)
}
