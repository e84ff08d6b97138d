package authz_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEgressOfFragments checks that paths with a fragment get status 400 where a sidecar reads requests, whatever the host. Where it forwards
// bytes, they pass.
func TestEgressOfFragments(t *testing.T) {
	policy := outside("a", 1, func(e *catalog.Egress) {
		e.Ports = append(e.Ports, catalog.EgressPort{Number: 81, Protocol: inventory.ProtocolTCP})
	})
	for _, egress := range []bool{false, true} {
		v := meshtest.Apply(policy, &catalog.Settings{EgressPolicies: true, Egress: egress}, &catalog.Namespace{Name: "ns", Monitored: true}).View()
		for _, test := range []struct {
			port uint16
			host string
			want authz.Outcome
		}{
			{80, "api.example.com", authz.BadRequest},
			{80, "www.example.com", authz.BadRequest},
			{81, "api.example.com", authz.Allowed},
		} {
			answer := authz.DecideEgress(v, authz.EgressRequest{
				Source: meshtest.SA("ns", "client"), Port: test.port, Protocol: inventory.ProtocolHTTP, Host: test.host, Method: "GET", Path: "/a#b",
			})
			if answer.Outcome != test.want || (answer.Missing == "") != (test.want == authz.Allowed) {
				t.Errorf("egress %t: %s:%d: %s, missing %q, want %s", egress, test.host, test.port, answer.Outcome, answer.Missing, test.want)
			}
		}
	}
}
