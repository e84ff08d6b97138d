package authz_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkInbound computes the rules of a workload, and BenchmarkConnects decides one connection, by the number of
// TrafficTargets to the workload.
func BenchmarkInbound(b *testing.B) {
	for _, policies := range []int{1, 10, 100} {
		c, server := catalogWithTargets(policies), meshtest.SA("a", "server")
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rules := authz.InboundRules(c.View(), server, 80, inventory.ProtocolHTTP); len(rules.Network) != policies {
					b.Fatalf("%d network rules, want %d", len(rules.Network), policies)
				}
			}
		})
	}
}

func BenchmarkConnects(b *testing.B) {
	for _, policies := range []int{1, 100} {
		c, server, client := catalogWithTargets(policies), meshtest.SA("a", "server"), meshtest.SA("a", "client-0")
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !authz.MayConnect(c.View(), client, server, 80, inventory.ProtocolHTTP) {
					b.Fatal("the client may not connect")
				}
			}
		})
	}
}

// catalogWithTargets is a mesh in which the given number of clients may call a/server, each by its own TrafficTarget.
func catalogWithTargets(policies int) *catalog.Catalog {
	entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, meshtest.Group("a", "routes", "/x", "/y", "/z")}
	for i := range policies {
		entries = append(entries, meshtest.Target(fmt.Sprintf("target-%d", i), meshtest.SA("a", "server"),
			[]catalog.TargetRule{meshtest.HTTP("routes")}, meshtest.SA("a", fmt.Sprintf("client-%d", i))))
	}
	return meshtest.Apply(entries...)
}
