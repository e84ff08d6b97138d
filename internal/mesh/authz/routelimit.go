package authz

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// MaxRoutes is how many routes and clients of routes the policies of one namespace can add to a sidecar or to the egress gateway. Without it they
// multiply: ports by hosts by matches. A few objects of a tenant would then need more memory than the control plane has.
const MaxRoutes = 50_000

// RouteLimit counts the routes of a sidecar by the namespace whose policies add them. The zero value is ready for use.
type RouteLimit struct {
	routes  map[string]int
	limited map[catalog.Ref]struct{}
}

// Admit counts routes of a namespace, and reports whether they are within MaxRoutes. Routes that are not do not count.
func (l *RouteLimit) Admit(namespace string, routes int) bool {
	if l.routes[namespace]+routes > MaxRoutes {
		return false
	}
	if l.routes == nil {
		l.routes = map[string]int{}
	}
	l.routes[namespace] += routes
	return true
}

// AdmitPolicy is Admit for routes of a policy. It records the policy if they are left out.
func (l *RouteLimit) AdmitPolicy(policy catalog.Ref, routes int) bool {
	admitted := l.Admit(policy.Name.Namespace, routes)
	if !admitted {
		l.Record(policy)
	}
	return admitted
}

// Record records a policy of which routes are left out.
func (l *RouteLimit) Record(policy catalog.Ref) {
	if l.limited == nil {
		l.limited = map[catalog.Ref]struct{}{}
	}
	l.limited[policy] = struct{}{}
}

// Limited returns the recorded policies, sorted.
func (l *RouteLimit) Limited() []catalog.Ref {
	return slices.SortedFunc(maps.Keys(l.limited), catalog.Ref.Compare)
}
