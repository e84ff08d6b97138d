package authz_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestIncompleteEgressesAreRecorded checks that the Egress of hosts without their TLS routes is recorded, and one that only has ranges is not.
func TestIncompleteEgressesAreRecorded(t *testing.T) {
	client := SA("a", "client")
	ports := []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}
	hosts := &catalog.Egress{Name: Name("a", "hosts"), Sources: []identity.ServiceAccount{client}, Ports: ports}
	ranges := &catalog.Egress{Name: Name("a", "ranges"), Sources: hosts.Sources, Ports: ports}
	for i := range 250 {
		hosts.Hosts = append(hosts.Hosts, fmt.Sprintf("h%d.example.com", i))
		ranges.Prefixes = append(ranges.Prefixes, netip.MustParsePrefix(fmt.Sprintf("192.0.%d.0/24", i)))
	}
	view := Apply(&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "a", Monitored: true}, hosts, ranges).View()
	var limit authz.RouteLimit
	authz.EgressPortsWithin(view, client, &limit)
	if got := fmt.Sprint(limit.Limited()); got != "[{Egress a/hosts}]" {
		t.Errorf("recorded %s", got)
	}
}

// TestRouteLimitRecordsEachPolicyOnce checks that recorded policies are sorted and without duplicates, and that admitted ones are not recorded.
func TestRouteLimitRecordsEachPolicyOnce(t *testing.T) {
	var limit authz.RouteLimit
	ref := func(name string) entity.Ref { return entity.Ref{Kind: entity.KindEgress, Name: Name("a", name)} }
	if !limit.AdmitPolicy(ref("fits"), authz.MaxRoutes) {
		t.Error("the limit itself is not admitted")
	}
	for _, name := range []string{"y", "x", "y"} {
		if limit.AdmitPolicy(ref(name), 1) {
			t.Errorf("%s is admitted", name)
		}
	}
	if got := fmt.Sprint(limit.Limited()); got != "[{Egress a/x} {Egress a/y}]" {
		t.Errorf("recorded %s", got)
	}
}
