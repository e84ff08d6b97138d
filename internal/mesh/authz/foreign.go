package authz

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// What the TrafficTargets of one namespace can add to the sidecars of a client in another namespace. The client did not agree to it.
const (
	// MaxForeignPorts is how many ports of Services. Each port is a listener and a cluster, and needs memory there.
	MaxForeignPorts = 1000
	// MaxForeignBackends is how many backends of TrafficSplits, counted for each port of the root Service. Each is a cluster.
	MaxForeignBackends = 5000
	// MaxForeignEndpoints is how many endpoints: pods, counted for each port of a Service, and with the backends of its TrafficSplits. The
	// number of pods of a Service is rounded up to one less than a power of two.
	MaxForeignEndpoints = 20_000
)

// GrantedServices are the Services of identities that TrafficTargets let a client call, and the roots of splits to those,
// sorted. It leaves out permissive namespaces. Of a namespace other than the client's it returns the first Services by
// name that fit into MaxForeignPorts, MaxForeignBackends and MaxForeignEndpoints.
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
	offers := map[string]offer{}
	return slices.DeleteFunc(slices.SortedFunc(maps.Keys(found), catalog.Name.Compare), func(name catalog.Name) bool {
		if name.Namespace == client.Namespace {
			return false
		}
		service := v.Service(name)
		if service == nil {
			return true
		}
		sum := offers[name.Namespace].plus(offerOf(v, service))
		if sum.isTooLarge() {
			return true
		}
		offers[name.Namespace] = sum
		return false
	})
}

// offer is what Services add to the sidecar of a client.
type offer struct{ ports, backends, endpoints int }

// offerOf returns what a Service adds: its ports, and for each of them the backends and pods of the Service and of its TrafficSplits.
func offerOf(v *catalog.View, service *catalog.Service) offer {
	ports, backends, pods := len(service.Ports), 0, v.PodsUpTo(service.Name)
	splits := v.MatchingSplits(service.Name)
	if split := v.Split(service.Name); split != nil {
		splits = append(splits, split)
	}
	for _, split := range splits {
		backends += len(split.Backends)
		for _, backend := range split.Backends {
			pods += v.PodsUpTo(backend.Service)
		}
	}
	return offer{ports, ports * backends, ports * pods}
}

func (o offer) plus(other offer) offer {
	return offer{o.ports + other.ports, o.backends + other.backends, o.endpoints + other.endpoints}
}

func (o offer) isTooLarge() bool {
	return o.ports > MaxForeignPorts || o.backends > MaxForeignBackends || o.endpoints > MaxForeignEndpoints
}
