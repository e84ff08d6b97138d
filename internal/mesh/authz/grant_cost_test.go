package authz_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestGrantsAreResolvedOnce checks that the cost of many ports does not multiply with that of the matches of a target: a tenant chooses both, and
// the sidecars of its clients in other namespaces are built from them too.
func TestGrantsAreResolvedOnce(t *testing.T) {
	server, client := SA("a", "server"), SA("a", "client")
	group := Group("a", "routes")
	for i := range 1000 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
	}
	c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, group, Target("t", server, []catalog.TargetRule{HTTP("routes")}, client))
	view := c.View()
	rules := authz.InboundRules(view, server, 1, inventory.ProtocolHTTP)
	if len(rules.Routes) != 1000 || !authz.MayConnect(view, client, server, 1, inventory.ProtocolHTTP) {
		t.Fatalf("%d routes", len(rules.Routes))
	}
	for operation, f := range map[string]func(){
		"MayConnect":   func() { authz.MayConnect(view, client, server, 2, inventory.ProtocolHTTP) },
		"InboundRules": func() { authz.InboundRules(view, server, 2, inventory.ProtocolHTTP) },
	} {
		if allocations := testing.AllocsPerRun(10, f); allocations > 50 {
			t.Errorf("%s for another port allocates %.0f times", operation, allocations)
		}
	}
}
