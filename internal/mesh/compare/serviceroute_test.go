package compare

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// routeOfService sends requests with a prefix to a Service, or redirects them.
func routeOfService(namespace, prefix string, backend entity.Name) catalog.Change {
	rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: prefix}}}
	if backend == (entity.Name{}) {
		rule.Filters.Redirect = &catalog.RouteRedirect{Status: 302}
	} else {
		rule.Backends = []catalog.RouteBackend{{Service: backend, Port: 80, Weight: 1}}
	}
	return catalog.Set(&catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name(namespace, "r"), Parents: []catalog.RouteParent{{Service: Name("shop", "web")}}, Rules: []catalog.HTTPRouteRule{rule},
	})
}

// flowsOf returns the flows that an edit of a mesh changes.
func flowsOf(t *testing.T, before Mesh, edit []catalog.Change) []Flow {
	t.Helper()
	after := before.clone()
	found, err := Meshes(Subject{TrustDomain: "cluster.local"}, before, after, apply(after, edit))
	if err != nil {
		t.Fatal(err)
	}
	return found.Flows
}

// TestPlanOfServiceRoutes edits routes for a Service that one client in the namespace clients may call. The plan contains the requests whose result changes.
func TestPlanOfServiceRoutes(t *testing.T) {
	web, client := Pod("shop", "web-1", "web", "web", "10.0.0.1"), Pod("clients", "client-1", "client", "client", "10.0.0.2")
	for name, test := range map[string]struct {
		before, edit []catalog.Change
		want         []string
	}{
		"a route for some requests": {
			nil, []catalog.Change{routeOfService("shop", "/a", Name("shop", "web"))}, []string{"allowed -> denied: not found"},
		},
		"a route that is deleted": {
			[]catalog.Change{routeOfService("shop", "/a", Name("shop", "web"))},
			[]catalog.Change{{Ref: entity.Ref{Kind: entity.KindHTTPRoute, Name: Name("shop", "r")}}},
			[]string{"denied -> allowed: "},
		},
		"a route of the client's namespace": {
			nil, []catalog.Change{routeOfService("clients", "/a", Name("shop", "web"))}, []string{"allowed -> denied: not found"},
		},
		"a route of a namespace without clients": {nil, []catalog.Change{routeOfService("other", "/a", Name("shop", "web"))}, nil},
		"a route to nobody": {
			[]catalog.Change{routeOfService("shop", "/", Name("shop", "web"))},
			[]catalog.Change{routeOfService("shop", "/", Name("shop", "none"))},
			[]string{"allowed -> denied: misrouted"},
		},
		"a redirect": {
			[]catalog.Change{routeOfService("shop", "/", Name("shop", "web"))},
			[]catalog.Change{routeOfService("shop", "/", entity.Name{})},
			[]string{"allowed -> denied: redirected"},
		},
		"a route that says the same": {nil, []catalog.Change{routeOfService("shop", "/", Name("shop", "web"))}, nil},
	} {
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range []catalog.Entry{
			&catalog.Settings{}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "clients", Monitored: true}, &catalog.Namespace{Name: "other", Monitored: true},
			web, client, Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Slice(Name("shop", "web"), web),
			Group("shop", "all", ".*"), Target("t", SA("shop", "web"), []catalog.TargetRule{HTTP("all")}, SA("clients", "client")),
		} {
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		apply(before, test.before)
		var got []string
		for _, flow := range flowsOf(t, before, test.edit) {
			got = append(got, fmt.Sprintf("%s -> %s: %s", flow.Before, flow.After, flow.Seen))
		}
		slices.Sort(got)
		if diff := cmp.Diff(test.want, slices.Compact(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
