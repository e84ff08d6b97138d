package authz_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestClientsOfTheEgressGatewayAreBounded checks that clients count for each destination: the gateway has the clients of each.
func TestClientsOfTheEgressGatewayAreBounded(t *testing.T) {
	const clients = 990
	policy := &catalog.Egress{Name: Name("a", "outside"), Hosts: manyHosts(60), Gateway: &catalog.EgressGateway{}}
	policy.Ports = []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}
	for i := range clients {
		policy.Sources = append(policy.Sources, SA("a", fmt.Sprint("client-", i)))
	}
	view := Apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}, policy).View()
	var limit authz.RouteLimit
	destinations := authz.GatewayDestinations(view, &limit)
	// A destination itself counts as ten.
	if want := authz.MaxRoutes / (clients + 10); len(destinations) != want || len(limit.Limited()) != 1 {
		t.Errorf("%d destinations, limited are %v, want %d destinations", len(destinations), limit.Limited(), want)
	}
}
