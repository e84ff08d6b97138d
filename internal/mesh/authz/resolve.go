package authz

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// resolvedRoute is a port of a Service as one client's sidecar is configured for it.
type resolvedRoute struct {
	// rules are in order of evaluation; the last one matches every request.
	rules []resolvedRule
	// headless is true when the client connects to a pod's address.
	headless bool
	// addresses are those to which the client may connect.
	addresses []netip.Addr
	// reachable is true when the client may connect to an identity behind one of the backends.
	reachable bool
}

// resolvedRule is a RouteRule as one client sees it.
type resolvedRule struct {
	RouteRule
	resolved []resolvedBackend
	// direct is true when requests go to the pod that the client chose.
	direct bool
}

// resolvedBackend is a backend as one client sees it.
type resolvedBackend struct {
	WeightedBackend
	// protocol is the one that the server's sidecar uses for the container's port.
	protocol catalog.Protocol
	// all are the identities behind the Service; the client may connect to those in allowed.
	all, allowed []identity.ServiceAccount
}

// resolveRoute resolves a port of a Service for a client.
func resolveRoute(v *catalog.View, source identity.ServiceAccount, service *catalog.Service, port catalog.Port) resolvedRoute {
	route := resolvedRoute{headless: service.Headless(), addresses: service.ClusterIPs}
	if route.headless {
		for _, endpoint := range v.Backends(service, port) {
			route.addresses = append(route.addresses, endpoint.Address.Addr())
		}
	}
	for _, rule := range RouteRules(v, service, port) {
		s := resolvedRule{RouteRule: rule, direct: rule.ClientChoosesPod(service)}
		for _, b := range rule.Backends {
			s.resolved = append(s.resolved, resolveBackend(v, source, b))
		}
		route.reachable = route.reachable || slices.ContainsFunc(s.resolved, func(b resolvedBackend) bool { return len(b.allowed) > 0 })
		route.rules = append(route.rules, s)
	}
	return route
}

func resolveBackend(v *catalog.View, source identity.ServiceAccount, at WeightedBackend) resolvedBackend {
	b := resolvedBackend{WeightedBackend: at, protocol: EffectiveProtocol(v, at.Service, at.Port), all: v.ServiceIdentities(at.Service.Name)}
	for _, sa := range b.all {
		if MayConnect(v, source, sa, b.TargetPort, b.protocol) {
			b.allowed = append(b.allowed, sa)
		}
	}
	return b
}

// ruleFor returns the rule for a request, and the match that selected it, if any.
func (route resolvedRoute) ruleFor(r Request) (resolvedRule, *SplitMatch) {
	m := clientMessage(r)
	for _, s := range route.rules {
		if matched, ok := s.match(m); ok {
			return s, matched
		}
	}
	return resolvedRule{}, nil // not reached: the last rule matches every request
}

// isReachable reports whether the client's sidecar has the destination. pod is the client's choice for a headless
// Service.
func (route resolvedRoute) isReachable(pod netip.Addr) bool {
	if route.headless {
		return route.reachable && slices.Contains(route.addresses, pod)
	}
	return route.reachable && len(route.addresses) > 0
}

// missing describes why the client's sidecar does not have the destination.
func (route resolvedRoute) missing(v *catalog.View, r Request) string {
	if route.reachable {
		return fmt.Sprintf("a pod with a sidecar behind %s at the address %s", r.Service, r.Pod)
	}
	var targets []string
	for _, s := range route.rules {
		for _, b := range s.resolved {
			for _, sa := range b.all {
				targets = append(targets, missingTarget(r.Source, sa, b.TargetPort, b.protocol))
			}
		}
	}
	last := route.rules[len(route.rules)-1]
	switch {
	case len(targets) == 0 && last.Split != nil && len(last.resolved) == 0:
		return last.missing(r)
	case len(targets) == 0:
		return "a pod behind " + r.Service.String()
	}
	slices.Sort(targets)
	return strings.Join(slices.Compact(targets), ", or ")
}

// candidates are the distinct workloads to which the backend's requests may go. direct means that the client chose the
// pod.
func (b resolvedBackend) candidates(v *catalog.View, pod netip.Addr, direct bool) []candidate {
	var candidates []candidate
	for _, endpoint := range b.endpoints(v, direct) {
		if direct && endpoint.Address.Addr() != pod {
			continue
		}
		p := candidate{
			service: b.Service.Name, identity: endpoint.Identity, port: b.TargetPort, protocol: b.protocol,
			trusted: len(b.allowed) == 0 || slices.Contains(b.allowed, endpoint.Identity),
		}
		// Load balancing leaves out pods that the client may not call. A client that chooses its pod fails instead.
		if (p.trusted || direct) && !slices.Contains(candidates, p) {
			candidates = append(candidates, p)
		}
	}
	return candidates
}

// endpoints are the ready addresses behind the backend. If the client may call none of them, terminating ones that
// still serve count too. A client that chooses its pod may choose one that is not ready.
func (b resolvedBackend) endpoints(v *catalog.View, direct bool) []catalog.Backend {
	backends := v.Backends(b.Service, b.Port)
	usable := func(endpoint catalog.Backend) bool {
		return endpoint.Ready && (len(b.allowed) == 0 || slices.Contains(b.allowed, endpoint.Identity))
	}
	if direct || !slices.ContainsFunc(backends, usable) {
		return backends
	}
	return slices.DeleteFunc(backends, func(endpoint catalog.Backend) bool { return !endpoint.Ready })
}
