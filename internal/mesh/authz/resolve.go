package authz

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// ResolvedRoute is a port of a Service as one client's sidecar is configured for it.
type ResolvedRoute struct {
	// Rules are in order of evaluation; the last one matches every request.
	Rules []RouteRule
	// Addresses are those to which the client may connect: of the Service, or of the pods of a headless one.
	Addresses []netip.Addr
	service   *inventory.Service
	// Answers is true if the client may call the Service itself, and a route of the Gateway API applies: it may answer requests in the sidecar.
	Answers bool
}

// ResolveRoute resolves a port of a Service for a client.
func ResolveRoute(v *catalog.View, client identity.ServiceAccount, service *inventory.Service, port inventory.Port) ResolvedRoute {
	route := ResolvedRoute{Rules: RouteRulesFor(v, client, service, port), Addresses: service.ClusterIPs, service: service}
	if route.Rules[0].Routed != nil {
		_, route.Answers = BackendFor(v, client, ResolvedBackend{service, port})
	}
	if service.Headless() {
		for _, endpoint := range v.Backends(service, port) {
			route.Addresses = append(route.Addresses, endpoint.Address.Addr())
		}
	}
	return route
}

// RouteRulesFor are the RouteRules of a port of a Service, with the identities that a client may call.
func RouteRulesFor(v *catalog.View, client identity.ServiceAccount, service *inventory.Service, port inventory.Port) []RouteRule {
	return allow(v, client, RouteRules(v, client.Namespace, service, port))
}

// SplitRulesFor are the SplitRules of a port of a Service, with the identities that a client may call.
func SplitRulesFor(v *catalog.View, client identity.ServiceAccount, service *inventory.Service, port inventory.Port) []RouteRule {
	return allow(v, client, SplitRules(v, service, port))
}

// allow sets the identities that a client may call. Rules of one route share their backends, and rules of several routes often have equal ones.
func allow(v *catalog.View, client identity.ServiceAccount, rules []RouteRule) []RouteRule {
	var known map[backendKey][]identity.ServiceAccount
	if len(rules) > 1 {
		known = map[backendKey][]identity.ServiceAccount{}
	}
	for _, rule := range rules {
		for i := range rule.Backends {
			b := &rule.Backends[i]
			if b.Imported != nil {
				b.Imported = b.Imported.forClient(client)
				continue
			}
			key := backendKey{b.Service, b.Port}
			allowed, isKnown := known[key]
			if !isKnown {
				allowed = slices.DeleteFunc(slices.Clone(b.Identities), func(sa identity.ServiceAccount) bool {
					return !MayConnect(v, client, sa, b.TargetPort, b.Protocol)
				})
				if known != nil {
					known[key] = allowed
				}
			}
			b.Allowed = allowed
			b.resolveStandIn(client)
		}
	}
	return rules
}

// IsCallable reports whether the client may connect to an identity behind one of the backends.
func (r RouteRule) IsCallable() bool {
	return slices.ContainsFunc(r.Backends, WeightedBackend.isCallable)
}

// HasStandIn reports whether a Service of a peer can stand in for one of the backends.
func (r RouteRule) HasStandIn() bool {
	return slices.ContainsFunc(r.Backends, func(b WeightedBackend) bool { return b.StandIn != nil })
}

func (b WeightedBackend) isCallable() bool {
	return len(b.Allowed) > 0 || b.Imported != nil && b.Imported.Admits
}

// IsCallable reports whether the client may connect to an identity behind one of the backends of any rule, or to the Service itself.
func (route ResolvedRoute) IsCallable() bool {
	return route.Answers || slices.ContainsFunc(route.Rules, RouteRule.IsCallable)
}

// hasListener reports whether the client's sidecar has a listener for the port.
func (route ResolvedRoute) hasListener() bool { return route.IsCallable() && len(route.Addresses) > 0 }

// isReachable reports whether the client's sidecar has the destination. pod is the client's choice for a headless
// Service.
func (route ResolvedRoute) isReachable(pod netip.Addr) bool {
	return route.hasListener() && (!route.service.Headless() || slices.Contains(route.Addresses, pod))
}

// missing describes why the client's sidecar does not have the destination.
func (route ResolvedRoute) missing(v *catalog.View, r Request) string {
	if route.IsCallable() {
		return fmt.Sprintf("a pod with a sidecar behind %s at the address %s", r.Service, r.Pod)
	}
	var targets []string
	for _, rule := range route.Rules {
		for _, b := range rule.Backends {
			for _, sa := range b.Identities {
				targets = append(targets, missingTarget(r.Source, sa, b.TargetPort, b.Protocol))
			}
			if b.Imported != nil {
				targets = append(targets, b.Imported.missing(r.Source))
			}
		}
	}
	last := route.Rules[len(route.Rules)-1]
	switch {
	case len(targets) == 0 && last.Split != nil && len(last.Backends) == 0:
		return last.missing(r.Service)
	case len(targets) == 0 && !route.service.HasSelector():
		return fmt.Sprintf("a running pod of namespace %s with a sidecar and an address in the EndpointSlices of %s, which has no selector", r.Service.Namespace, r.Service)
	case len(targets) == 0:
		return MissingDestination(r.Service)
	}
	slices.Sort(targets)
	return strings.Join(slices.Compact(targets), ", or ")
}

// candidates are the distinct workloads to which the backend's requests may go. direct means that the client chose the
// pod.
func (b WeightedBackend) candidates(v *catalog.View, pod netip.Addr, direct bool) []candidate {
	var candidates []candidate
	for _, endpoint := range b.endpoints(v, direct) {
		if direct && endpoint.Address.Addr() != pod {
			continue
		}
		p := candidate{
			service: b.Service.Name, identity: endpoint.Identity, port: b.TargetPort, protocol: b.Protocol,
			trusted: len(b.Allowed) == 0 || slices.Contains(b.Allowed, endpoint.Identity),
		}
		// Load balancing leaves out pods that the client may not call. A client that chooses its pod fails instead.
		if (p.trusted || direct) && !slices.Contains(candidates, p) {
			candidates = append(candidates, p)
		}
	}
	return candidates
}

// endpoints are the ready addresses behind the backend. If the client may call none of them, others that still serve
// count too. A client that chooses its pod may choose one that is not ready.
func (b WeightedBackend) endpoints(v *catalog.View, direct bool) []inventory.Backend {
	backends := v.Backends(b.Service, b.Port)
	usable := func(endpoint inventory.Backend) bool {
		return endpoint.Ready && (len(b.Allowed) == 0 || slices.Contains(b.Allowed, endpoint.Identity))
	}
	switch {
	case direct:
		return backends
	case slices.ContainsFunc(backends, usable):
		return slices.DeleteFunc(backends, func(endpoint inventory.Backend) bool { return !endpoint.Ready })
	}
	return slices.DeleteFunc(backends, func(endpoint inventory.Backend) bool { return !endpoint.Serving })
}

type (
	grantedKey struct{ client identity.ServiceAccount }
	routedKey  struct{ clients string }
)

// isOffered reports whether a Service is within the bounds of GrantedServices and RoutedToPermissive. It assumes that the client may call it.
func isOffered(v *catalog.View, client identity.ServiceAccount, service entity.Name) bool {
	if v.Permissive(service.Namespace) {
		return true
	}
	granted := catalog.Memo(v, grantedKey{client}, func() []entity.Name { return GrantedServices(v, client) })
	if _, found := slices.BinarySearchFunc(granted, service, entity.Name.Compare); found {
		return true
	}
	routed := catalog.Memo(v, routedKey{client.Namespace}, func() []entity.Name { return RoutedToPermissive(v, client.Namespace) })
	_, found := slices.BinarySearchFunc(routed, service, entity.Name.Compare)
	return found
}
