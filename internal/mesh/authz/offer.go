package authz

import (
	"fmt"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// What the TrafficTargets of one namespace can add to the sidecars of a client in another namespace. The client did not agree to it.
const (
	// MaxCrossNamespacePorts is how many ports of Services. Each port is a listener and a cluster, and needs memory there.
	MaxCrossNamespacePorts = 1000
	// MaxCrossNamespaceBackends is how many backends of TrafficSplits, counted for each port of the root Service. Each is a cluster.
	MaxCrossNamespaceBackends = 5000
	// MaxCrossNamespaceEndpoints is how many endpoints: pods, counted for each port of a Service, and with the backends of its TrafficSplits. The
	// number of pods of a Service is rounded up to one less than a power of two.
	MaxCrossNamespaceEndpoints = 20_000
	// MaxOwnPorts is MaxCrossNamespacePorts for clients in the namespace itself. Their endpoints have no bound.
	MaxOwnPorts = 10 * MaxCrossNamespacePorts
	// MaxOwnBackends is MaxCrossNamespaceBackends for clients in the namespace itself.
	MaxOwnBackends = 10 * MaxCrossNamespaceBackends
)

// OfferBound describes what the TrafficTargets of a namespace can add to the sidecar of a client.
func OfferBound(client identity.ServiceAccount, namespace string) string {
	if client.Namespace == namespace {
		return fmt.Sprintf("%d ports or %d backends", MaxOwnPorts, MaxOwnBackends)
	}
	return fmt.Sprintf("%d ports, %d backends or %d endpoints", MaxCrossNamespacePorts, MaxCrossNamespaceBackends, MaxCrossNamespaceEndpoints)
}

// OffersFit reports whether the Services of a namespace are within the bounds even if each of them selects all pods of the namespace.
// isCrossNamespace is true for clients in other namespaces.
func OffersFit(v *catalog.View, namespace string, isCrossNamespace bool) bool {
	selected := v.Selected(namespace)
	sum := offer{ports: selected.Ports, backends: selected.MostPorts * v.SplitBackends(namespace)}
	sum.endpoints = (sum.ports + sum.backends) * 2 * selected.Pods
	return !sum.exceeds(!isCrossNamespace)
}

// GrantedServices are the Services of identities that TrafficTargets let a client call, those of peers that admit it, and the roots of splits to those,
// sorted. It leaves out permissive namespaces. Of each namespace it returns the first Services by name that fit: into MaxOwnPorts and
// MaxOwnBackends for the client's own, else into MaxCrossNamespacePorts, MaxCrossNamespaceBackends and MaxCrossNamespaceEndpoints.
func GrantedServices(v *catalog.View, client identity.ServiceAccount) []entity.Name {
	found := map[entity.Name]struct{}{}
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
	for _, service := range importedFor(v, client) {
		found[service] = struct{}{}
		for _, root := range v.RootsOf(service) {
			found[root] = struct{}{}
		}
	}
	return withinBounds(v, client.Namespace, client.Namespace, found)
}

// PermissiveServices are the Services of permissive namespaces. In a mesh that is not permissive it reads only namespaces that override the mode, so a new
// Service elsewhere affects no sidecar.
func PermissiveServices(v *catalog.View) []entity.Name {
	if v.Settings().Permissive {
		return slices.DeleteFunc(v.Services(), func(name entity.Name) bool { return !v.Permissive(name.Namespace) })
	}
	var services []entity.Name
	for _, namespace := range v.PermissiveOverrides() {
		if v.Permissive(namespace) {
			services = append(services, v.ServicesIn(namespace)...)
		}
	}
	return services
}

// RoutedToPermissive are the Services of strict namespaces with a route, for clients of a namespace, to a Service of a permissive namespace, which every client
// may call, sorted. All clients have the bounds of GrantedServices for clients in other namespaces, so that they can share the Services.
func RoutedToPermissive(v *catalog.View, clients string) []entity.Name {
	if v.Settings().Permissive && !slices.ContainsFunc(v.PermissiveOverrides(), func(namespace string) bool { return !v.Permissive(namespace) }) {
		return nil
	}
	found := map[entity.Name]struct{}{}
	for _, backend := range PermissiveServices(v) {
		for _, service := range v.RoutedFrom(backend, clients) {
			if !v.Permissive(service.Namespace) {
				found[service] = struct{}{}
			}
		}
	}
	return withinBounds(v, clients, "", found)
}

// withinBounds returns the first Services of each namespace by name that fit into the bounds for clients of a namespace. The namespace own has the bounds of
// clients in it.
func withinBounds(v *catalog.View, clients, own string, services map[entity.Name]struct{}) []entity.Name {
	offers := map[string]offer{}
	return slices.DeleteFunc(slices.SortedFunc(maps.Keys(services), entity.Name.Compare), func(name entity.Name) bool {
		service := v.Service(name)
		if service == nil {
			return true
		}
		isOwn := name.Namespace == own
		sum := offers[name.Namespace].plus(offerOf(v, clients, service, !isOwn))
		if sum.exceeds(isOwn) {
			return true
		}
		offers[name.Namespace] = sum
		return false
	})
}

// offer is what Services add to the sidecar of a client.
type offer struct{ ports, backends, endpoints int }

// offerOf returns what a Service adds: its ports, and for each of them the backends and pods of the Service and of its TrafficSplits. Pods are
// counted only if they matter: what is built depends on what is counted.
func offerOf(v *catalog.View, clients string, service *inventory.Service, countsPods bool) offer {
	splits := v.MatchingSplits(service.Name)
	if split := v.Split(service.Name); split != nil {
		splits = append(splits, split)
	}
	receivers := []entity.Name{service.Name}
	for _, split := range splits {
		for _, backend := range split.Backends {
			receivers = append(receivers, backend.Service)
		}
	}
	receivers = append(receivers, routedTo(v, clients, service)...)
	pods := 0
	if countsPods {
		for _, name := range receivers {
			pods += v.PodsUpTo(name)
		}
	}
	ports := len(service.Ports)
	return offer{ports, ports * (len(receivers) - 1), ports * pods}
}

func (o offer) plus(other offer) offer {
	return offer{o.ports + other.ports, o.backends + other.backends, o.endpoints + other.endpoints}
}

func (o offer) exceeds(isOwn bool) bool {
	if isOwn {
		return o.ports > MaxOwnPorts || o.backends > MaxOwnBackends
	}
	return o.ports > MaxCrossNamespacePorts || o.backends > MaxCrossNamespaceBackends || o.endpoints > MaxCrossNamespaceEndpoints
}
