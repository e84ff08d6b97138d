package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Granted returns the requests that a client may send to the destination of an answer; none on ports without HTTP.
func (a Answer) Granted(v *catalog.View, source identity.ServiceAccount) []Route {
	if a.Destination == (identity.ServiceAccount{}) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(InboundRules(v, a.Destination, a.Port, a.Protocol).Routes), func(route Route) bool {
		return !route.AnySource && !slices.Contains(route.Sources, source)
	})
}
