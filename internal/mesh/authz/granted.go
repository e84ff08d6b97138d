package authz

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// MaxForeignPorts is how many ports of Services the TrafficTargets of one namespace can add to the sidecars of a client in
// another namespace. Each port is a listener and a cluster, and needs memory there.
const MaxForeignPorts = 1000

// GrantedServices are the Services of identities that TrafficTargets let a client call, and the roots of splits to those,
// sorted. It leaves out permissive namespaces. Of a namespace other than the client's it returns the first Services by
// name, up to MaxForeignPorts ports.
func GrantedServices(v *catalog.View, client identity.ServiceAccount) []catalog.Name {
	found := map[catalog.Name]struct{}{}
	for _, target := range v.TargetsFrom(client) {
		if v.Permissive(target.Destination.Namespace) {
			continue
		}
		for _, service := range v.ServicesOf(target.Destination) {
			found[service] = struct{}{}
			for _, root := range v.RootsOf(service) {
				found[root] = struct{}{}
			}
		}
	}
	ports := map[string]int{}
	return slices.DeleteFunc(slices.SortedFunc(maps.Keys(found), catalog.Name.Compare), func(name catalog.Name) bool {
		if name.Namespace == client.Namespace {
			return false
		}
		if service := v.Service(name); service != nil {
			ports[name.Namespace] += len(service.Ports)
		}
		return ports[name.Namespace] > MaxForeignPorts
	})
}

// isOffered reports whether a Service is within the bound of GrantedServices. It assumes that the client may call it.
func isOffered(v *catalog.View, client identity.ServiceAccount, service catalog.Name) bool {
	return service.Namespace == client.Namespace || v.Permissive(service.Namespace) || slices.Contains(GrantedServices(v, client), service)
}
