package authz_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkInbound is the cost of what a workload lets in, and BenchmarkConnects that of one question, by the number of
// TrafficTargets to the workload.
func BenchmarkInbound(b *testing.B) {
	for _, policies := range []int{1, 10, 100} {
		c, server := granted(policies), meshtest.SA("a", "server")
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rules := authz.Inbound(c.View(), server, 80, catalog.ProtocolHTTP); len(rules.Network) != policies {
					b.Fatalf("%d policies let somebody in, want %d", len(rules.Network), policies)
				}
			}
		})
	}
}

func BenchmarkConnects(b *testing.B) {
	for _, policies := range []int{1, 100} {
		c, server, client := granted(policies), meshtest.SA("a", "server"), meshtest.SA("a", "client-0")
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !authz.Connects(c.View(), client, server, 80, catalog.ProtocolHTTP) {
					b.Fatal("the client may not connect")
				}
			}
		})
	}
}

// granted is a mesh in which as many clients may call a/server, each by a TrafficTarget of its own.
func granted(policies int) *catalog.Catalog {
	entries := []catalog.Entry{&catalog.Namespace{Name: "a", Monitored: true}, meshtest.Group("a", "routes", "/x", "/y", "/z")}
	for i := range policies {
		entries = append(entries, meshtest.Target(fmt.Sprintf("target-%d", i), meshtest.SA("a", "server"),
			[]catalog.TargetRule{meshtest.HTTP("routes")}, meshtest.SA("a", fmt.Sprintf("client-%d", i))))
	}
	return meshtest.Apply(entries...)
}
