package catalog_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSelectionsReferToNoPolicy checks that what only selects one of several policies leads to none of them: a configuration is built without one that is
// excluded by its name.
func TestSelectionsReferToNoPolicy(t *testing.T) {
	name := Name("shop", "p")
	for _, c := range []struct {
		policy           catalog.Entry
		selection, named entity.Dep
	}{
		{&telemetry.Policy{Name: name}, entity.DepTelemetriesIn.In("shop"), entity.DepTelemetry.Of(name)},
		{&extauthz.Policy{Name: name}, entity.DepAuthorizationsIn.In("shop"), entity.Dep{}}, // never excluded
		{Group("shop", "p", "/a"), entity.DepRouteGroupsIn.In("shop"), entity.DepHTTPRouteGroup.Of(name)},
		{
			&catalog.Egress{Name: name, Sources: []identity.ServiceAccount{SA("shop", "web")}, Setting: "limits"},
			entity.DepSettingUsers.Of(Name("shop", "limits")), entity.DepEgressesFrom.Of(Name("shop", "web")),
		},
		{&catalog.TrafficSplit{Name: name, Root: Name("shop", "root")}, entity.DepSplitsIn.In("shop"), entity.DepSplit.Of(Name("shop", "root"))},
	} {
		mesh := Apply(c.policy)
		if !slices.Contains(c.policy.Deps(nil), c.selection) {
			t.Errorf("%v does not affect %v", c.policy.Ref(), c.selection)
		}
		if got := mesh.Policies([]entity.Dep{c.selection}); len(got) > 0 {
			t.Errorf("%v refers to %v", c.selection, got)
		}
		if slices.Contains(mesh.PolicyDeps(c.policy.Ref()), c.selection) {
			t.Errorf("%v is referred to by %v", c.policy.Ref(), c.selection)
		}
		if c.named == (entity.Dep{}) {
			continue
		}
		if got := mesh.Policies([]entity.Dep{c.named}); !slices.Equal(got, []entity.Ref{c.policy.Ref()}) || !slices.Contains(mesh.PolicyDeps(c.policy.Ref()), c.named) {
			t.Errorf("%v refers to %v", c.named, got)
		}
	}
	if got := Apply().PolicyDeps(entity.Ref{Kind: entity.KindEgress, Name: name}); got != nil {
		t.Errorf("no policy is referred to by %v", got)
	}
	if got := Apply(&catalog.Namespace{Name: "shop"}).PolicyDeps(entity.KindNamespace.Ref(entity.Name{Namespace: "shop"})); got != nil {
		t.Errorf("a namespace is a policy, referred to by %v", got)
	}
}
