package compare

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
)

// A route group may restrict policies of several kinds. An edit of the group affects the sidecars of all of them.
func TestEditsOfRouteGroupsAffectEachPolicyThatNamesThem(t *testing.T) {
	name := entity.Name{Namespace: "shop", Name: "reads"}
	touched := map[entity.Dep]bool{{Kind: entity.DepHTTPRouteGroup, Name: name}: true}
	for kind, test := range map[string]struct {
		entry  catalog.Entry
		narrow bool
	}{
		"TrafficTarget":  {&catalog.TrafficTarget{Name: name}, true},
		"TrafficSplit":   {&catalog.TrafficSplit{Name: name, Matches: []string{"reads"}}, false},
		"Egress":         {&catalog.Egress{Name: name, RouteGroups: []string{"reads"}}, false},
		"IngressBackend": {&ingressbackend.Policy{Name: name, RouteGroups: []string{"reads"}}, false},
	} {
		mesh := Mesh{Entries: map[entity.Ref]catalog.Entry{test.entry.Ref(): test.entry}}
		if _, narrow := candidates(touched, mesh); narrow != test.narrow {
			t.Errorf("%s: narrow is %t, want %t", kind, narrow, test.narrow)
		}
	}
}
