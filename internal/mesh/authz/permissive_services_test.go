package authz_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServicesOfPermissiveNamespaces checks which Services every client may call, and which it has because of a route to such a Service. Where the mode of
// the mesh says enough, no list of Services is read: a new Service would affect all sidecars.
func TestServicesOfPermissiveNamespaces(t *testing.T) {
	yes, no := true, false
	all := []entity.Name{Name("other", "far"), Name("shop", "new"), Name("shop", "web")}
	far, shop, web := all[:1], all[1:], all[2:]
	for name, test := range map[string]struct {
		mesh                bool
		shop, other         *bool
		permissive, routed  []entity.Name
		readsAll, readsFrom bool
	}{
		"neither":  {false, nil, nil, nil, nil, false, false},
		"the mesh": {true, nil, nil, all, nil, true, false},
		"the mesh, where a namespace is so anyway":  {true, nil, &yes, all, nil, true, false},
		"the mesh without the namespace of a route": {true, &no, nil, far, web, true, true},
		"the mesh without that of a backend":        {true, nil, &no, shop, nil, true, true},
		"the namespace of a backend":                {false, nil, &yes, far, web, false, false},
		"the namespace of a route":                  {false, &yes, nil, shop, nil, false, false},
		"both namespaces":                           {false, &yes, &yes, all, nil, false, false},
		"a strict namespace in a strict mesh":       {false, &no, nil, nil, nil, false, false},
	} {
		entries := []catalog.Entry{
			&catalog.Settings{Permissive: test.mesh}, &catalog.Namespace{Name: "shop", Monitored: true, Permissive: test.shop},
			&catalog.Namespace{Name: "other", Monitored: true, Permissive: test.other}, routeTo("shop", "r", "/", Name("other", "far")),
		}
		v := routedMesh(entries...)
		if diff := cmp.Diff(test.permissive, authz.PermissiveServices(v)); diff != "" {
			t.Errorf("%s: Services of permissive namespaces (-want +got):\n%s", name, diff)
		}
		if got := readsServices(v); got != test.readsAll {
			t.Errorf("%s: Services of permissive namespaces need the list of all: %t, want %t", name, got, test.readsAll)
		}
		v = routedMesh(entries...)
		if got := authz.RoutedToPermissive(v, "shop"); !slices.Equal(got, test.routed) {
			t.Errorf("%s: Services with a route to those: %v, want %v", name, got, test.routed)
		}
		if got := readsServices(v); got != test.readsFrom {
			t.Errorf("%s: Services with a route to those need the list of all: %t, want %t", name, got, test.readsFrom)
		}
	}
}

// readsServices reports whether a view depends on which Services there are.
func readsServices(v *catalog.View) bool {
	return slices.ContainsFunc(v.Deps(), func(d entity.Dep) bool { return d.Kind == entity.DepServices })
}

// TestRoutedToPermissive_Clients checks that a route of the clients' namespace applies to those clients only.
func TestRoutedToPermissive_Clients(t *testing.T) {
	yes := true
	v := routedMesh(&catalog.Settings{}, &catalog.Namespace{Name: "other", Monitored: true, Permissive: &yes}, routeTo("other", "r", "/", Name("other", "far")))
	for clients, want := range map[string][]entity.Name{"other": {Name("shop", "web")}, "shop": nil} {
		if got := authz.RoutedToPermissive(v, clients); !slices.Equal(got, want) {
			t.Errorf("clients of %s have %v, want %v", clients, got, want)
		}
	}
}
