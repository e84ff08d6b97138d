package gateway

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Certificates returns the Secrets that Gateways of this mesh refer to and may use, sorted.
func Certificates(v *catalog.View) []catalog.Name {
	found := map[catalog.Name]struct{}{}
	for _, g := range v.Gateways() {
		from := catalog.GrantedReferrer{Group: Group, Kind: "Gateway", Namespace: g.Name.Namespace}
		for _, listener := range g.Listeners {
			for _, name := range listener.Certificates {
				if name.Namespace == g.Name.Namespace || v.Grants(from, "", "Secret", name) {
					found[name] = struct{}{}
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), catalog.Name.Compare)
}
