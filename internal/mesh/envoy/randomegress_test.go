package envoy_test

import (
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// drawEgressPorts draws the ports of a client with up to three Egresses.
func drawEgressPorts(t *rapid.T) []authz.EgressPort {
	entries := []catalog.Entry{&catalog.Settings{EgressPolicies: true}, meshtest.Group("ns", "one", "/get", "/public/.*")}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID).Draw(t, "egresses") {
		policy := meshtest.DrawEgress(t, meshtest.Name("ns", name), []string{"client"})
		if rapid.IntRange(0, 2).Draw(t, "through the gateway") == 0 {
			meshtest.UseGateway(t, policy)
		}
		entries = append(entries, policy)
	}
	return authz.EgressPorts(meshtest.Apply(entries...).View(), meshtest.SA("ns", "client"))
}
