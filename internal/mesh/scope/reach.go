package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// UsesSharedDestinations reports whether a client may call exactly the shared destinations: something is permissive,
// and no policy grants the client access to the rest. In passthrough mode no client uses them.
func UsesSharedDestinations(v *catalog.View, client identity.ServiceAccount) bool {
	if !permissiveAnywhere(v) || v.Settings().Teardown == catalog.TeardownPassthrough {
		return false
	}
	if v.Settings().Permissive && len(v.PermissiveOverrides()) == 0 {
		return true
	}
	return !slices.ContainsFunc(v.TargetsFrom(client), func(target *catalog.TrafficTarget) bool {
		return !v.Permissive(target.Destination.Namespace)
	})
}

// permissiveAnywhere reports whether the mesh or one of its namespaces is permissive.
func permissiveAnywhere(v *catalog.View) bool {
	return v.Settings().Permissive || slices.ContainsFunc(v.PermissiveOverrides(), v.Permissive)
}

// reachable are the Services that the client may be able to call, sorted: Services of permissive namespaces, Services
// that TrafficTargets let it call, and the roots of splits to those.
func (o outboundBuilder) reachable() []catalog.Name {
	services := append(authz.GrantedServices(o.view, o.client), permissiveServices(o.view)...)
	slices.SortFunc(services, catalog.Name.Compare)
	return slices.Compact(services)
}

// permissiveServices are the Services of permissive namespaces. In a mesh that is not permissive it reads only
// namespaces that override the mode, so a new Service elsewhere affects no sidecar.
func permissiveServices(v *catalog.View) []catalog.Name {
	if v.Settings().Permissive {
		return slices.DeleteFunc(v.Services(), func(name catalog.Name) bool { return !v.Permissive(name.Namespace) })
	}
	var services []catalog.Name
	for _, namespace := range v.PermissiveOverrides() {
		if v.Permissive(namespace) {
			services = append(services, v.ServicesIn(namespace)...)
		}
	}
	return services
}
