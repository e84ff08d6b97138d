package scope

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// SharesCommon says whether a client may call what Common has and nothing else: some of the mesh is permissive, and no policy leads
// the client to the rest. Where everything is sent as it is, nobody is led to what Common has.
func SharesCommon(v *catalog.View, client identity.ServiceAccount) bool {
	if !permissiveAnywhere(v) || v.Settings().Leaving == catalog.LeavingTransparent {
		return false
	}
	if v.Settings().Permissive && len(v.Outspoken()) == 0 {
		return true
	}
	return !slices.ContainsFunc(v.TargetsFrom(client), func(target *catalog.TrafficTarget) bool {
		return !v.Permissive(target.Destination.Namespace)
	})
}

// permissiveAnywhere says whether the mesh or one of its namespaces is permissive.
func permissiveAnywhere(v *catalog.View) bool {
	return v.Settings().Permissive || slices.ContainsFunc(v.Outspoken(), v.Permissive)
}

// reachable are the Services that the client may have a reason to call, sorted: those of permissive namespaces; those of the
// identities that some TrafficTarget lets it call; and the roots of splits that lead to them.
func (o outbounds) reachable() []catalog.Name {
	found := map[catalog.Name]struct{}{}
	for _, service := range permissiveServices(o.view) {
		found[service] = struct{}{}
	}
	for _, target := range o.view.TargetsFrom(o.client) {
		if o.view.Permissive(target.Destination.Namespace) {
			continue // it adds nothing
		}
		for _, service := range o.view.ServicesOf(target.Destination) {
			found[service] = struct{}{}
			for _, root := range o.view.RootsOf(service) {
				found[root] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), catalog.Name.Compare)
}

// permissiveServices are the Services of permissive namespaces. In a mesh that is not permissive only the namespaces that say so
// are looked at, so that a new Service elsewhere is nobody's business.
func permissiveServices(v *catalog.View) []catalog.Name {
	if v.Settings().Permissive {
		return slices.DeleteFunc(v.Services(), func(name catalog.Name) bool { return !v.Permissive(name.Namespace) })
	}
	var services []catalog.Name
	for _, namespace := range v.Outspoken() {
		if v.Permissive(namespace) {
			services = append(services, v.ServicesIn(namespace)...)
		}
	}
	return services
}
