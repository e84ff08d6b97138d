package authz_test

import (
	"maps"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestAdmitPolicyFor checks that policies of another namespace have fewer routes in the sidecar of a client than those of its own.
func TestAdmitPolicyFor(t *testing.T) {
	for client, most := range map[string]int{"a": authz.MaxRoutes, "b": authz.MaxCrossNamespaceRoutes} {
		var limit authz.RouteLimit
		policy := entity.Ref{Kind: entity.KindEgress, Name: Name("a", "p")}
		if !limit.AdmitPolicyFor(client, policy, most) || limit.AdmitPolicyFor(client, policy, 1) {
			t.Errorf("policies of a do not have just %d routes in the sidecar of a client in %s", most, client)
		}
	}
}

// TestAdmitAllFor checks that routes of several namespaces count together or not at all.
func TestAdmitAllFor(t *testing.T) {
	const client = "a"
	for name, test := range map[string]struct {
		before, added map[string]int
		want          bool
	}{
		"nothing":                         {nil, nil, true},
		"within both limits":              {nil, map[string]int{"a": authz.MaxRoutes, "b": authz.MaxCrossNamespaceRoutes}, true},
		"beyond that of the client's":     {nil, map[string]int{"a": authz.MaxRoutes + 1, "b": 1}, false},
		"beyond that of another":          {nil, map[string]int{"a": 1, "b": authz.MaxCrossNamespaceRoutes + 1}, false},
		"with the earlier ones":           {map[string]int{"b": authz.MaxCrossNamespaceRoutes - 1}, map[string]int{"b": 1}, true},
		"beyond it with the earlier ones": {map[string]int{"b": authz.MaxCrossNamespaceRoutes}, map[string]int{"a": 1, "b": 1}, false},
	} {
		var limit authz.RouteLimit
		want := map[string]int{}
		for namespace, routes := range test.before {
			limit.Admit(namespace, routes)
			want[namespace] += routes
		}
		if got := limit.AdmitAllFor(client, test.added); got != test.want {
			t.Errorf("%s: admitted %t, want %t", name, got, test.want)
		}
		if test.want {
			for namespace, routes := range test.added {
				want[namespace] += routes
			}
		}
		if got := limit.Counted(); !maps.Equal(got, want) {
			t.Errorf("%s: the limit counts %v, want %v", name, got, want)
		}
	}
}
