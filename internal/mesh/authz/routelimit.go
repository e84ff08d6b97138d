package authz

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// MaxRoutes is how many routes and clients of routes the policies of one namespace can add to a sidecar or to the egress gateway. Without it they
// multiply: ports by hosts by matches. A few objects of a tenant would then need more memory than the control plane has. A route with long texts
// counts as several, so this bounds bytes too: see RoutesOf.
const MaxRoutes = 50_000

// MaxCrossNamespaceRoutes is MaxRoutes for the sidecars of clients in other namespaces. These clients did not agree to the policies.
const MaxCrossNamespaceRoutes = 5000

// RouteLimit counts the routes of a sidecar by the namespace whose policies add them. The zero value is ready for use.
type RouteLimit struct {
	routes  map[string]int
	limited map[entity.Ref]struct{}
}

// Admit counts routes of a namespace, and reports whether they are within MaxRoutes. Routes that are not do not count.
func (l *RouteLimit) Admit(namespace string, routes int) bool {
	return l.admit(namespace, routes, MaxRoutes)
}

func (l *RouteLimit) admit(namespace string, routes, maximum int) bool {
	if l.routes[namespace]+routes > maximum {
		return false
	}
	if l.routes == nil {
		l.routes = map[string]int{}
	}
	l.routes[namespace] += routes
	return true
}

// AdmitPolicy is Admit for routes of a policy. It records the policy if they are left out.
func (l *RouteLimit) AdmitPolicy(policy entity.Ref, routes int) bool {
	return l.AdmitPolicyFor(policy.Name.Namespace, policy, routes)
}

// AdmitPolicyFor is AdmitPolicy for the sidecar of a client: within MaxCrossNamespaceRoutes if the client is in another namespace than the policy.
func (l *RouteLimit) AdmitPolicyFor(client string, policy entity.Ref, routes int) bool {
	admitted := l.admit(policy.Name.Namespace, routes, RoutesFor(client, policy.Name.Namespace))
	if !admitted {
		l.Record(policy)
	}
	return admitted
}

// RoutesFor returns how many routes the policies of a namespace can add to the sidecars of a client in the other one.
func RoutesFor(client, namespace string) int {
	if client == namespace {
		return MaxRoutes
	}
	return MaxCrossNamespaceRoutes
}

// Counted returns how many routes of each namespace were admitted.
func (l *RouteLimit) Counted() map[string]int { return maps.Clone(l.routes) }

// AdmitAllFor counts routes that one policy after the other adds, by the namespaces of the policies, for the sidecars of a client. It returns false, and counts
// nothing, if AdmitPolicyFor would not admit some of them.
func (l *RouteLimit) AdmitAllFor(client string, routes map[string]int) bool {
	for namespace, count := range routes {
		if l.routes[namespace]+count > RoutesFor(client, namespace) {
			return false
		}
	}
	for namespace, count := range routes {
		l.admit(namespace, count, RoutesFor(client, namespace))
	}
	return true
}

// Record records a policy of which routes are left out.
func (l *RouteLimit) Record(policy entity.Ref) {
	if l.limited == nil {
		l.limited = map[entity.Ref]struct{}{}
	}
	l.limited[policy] = struct{}{}
}

// Limited returns the recorded policies, sorted.
func (l *RouteLimit) Limited() []entity.Ref {
	return slices.SortedFunc(maps.Keys(l.limited), entity.Ref.Compare)
}

// limitHosts removes the hosts for TLS if they have too many routes: sidecars need one for each host in each range.
func (b *egressBuilder) limitHosts(policies []*catalog.Egress) {
	hosts := 0
	for _, host := range b.port.Hosts {
		if host.TLS {
			hosts++
		}
	}
	if b.limit.Admit(policies[0].Name.Namespace, hosts*len(b.port.Ranges)) {
		return
	}
	b.recordTLS(policies, func(policy *catalog.Egress) bool { return len(policy.Prefixes) == 0 })
	for i := range b.port.Hosts {
		b.port.Hosts[i].TLS = false
	}
	b.port.Hosts = slices.DeleteFunc(b.port.Hosts, func(h EgressHost) bool { return !h.HTTP })
}

// limitServerNames removes the server names of ranges if they have too many routes: sidecars need one for each name in each range within its own.
func (b *egressBuilder) limitServerNames(policies []*catalog.Egress) {
	if b.limit.Admit(policies[0].Name.Namespace, inheritedNames(b.port.Ranges)) {
		return
	}
	b.recordTLS(policies, func(policy *catalog.Egress) bool { return len(policy.Prefixes) > 0 && len(policy.Hosts) > 0 })
	for i := range b.port.Ranges {
		b.port.Ranges[i].ServerNames = nil
	}
}

// recordTLS records the policies with a property that are about TLS on the port.
func (b *egressBuilder) recordTLS(policies []*catalog.Egress, matches func(*catalog.Egress) bool) {
	for _, policy := range policies {
		if policy.HasPort(b.port.Number, catalog.ProtocolHTTPS) && matches(policy) {
			b.limit.Record(policy.Ref())
		}
	}
}

// inheritedNames counts the server names that sorted ranges have from the ranges around them.
func inheritedNames(ranges []EgressRange) int {
	type outer struct {
		prefix netip.Prefix
		// names are the server names of the range and of those around it.
		names int
		// any is true if one of these ranges allows every connection. Names need no routes there.
		any bool
	}
	total := 0
	around := []outer{{}} // the addresses outside all ranges
	for _, r := range ranges {
		for len(around) > 1 && !around[len(around)-1].prefix.Contains(r.Prefix.Addr()) {
			around = around[:len(around)-1]
		}
		next := around[len(around)-1]
		next.prefix, next.any = r.Prefix, next.any || r.Any
		if !next.any {
			total += next.names
			next.names += len(r.ServerNames)
		}
		around = append(around, next)
	}
	return total
}
