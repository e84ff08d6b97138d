package authz

// MaxRoutes is how many routes and clients of routes the policies of one namespace can add to a sidecar or to the egress gateway. Without it they
// multiply: ports by hosts by matches. A few objects of a tenant would then need more memory than the control plane has.
const MaxRoutes = 50_000

// RouteLimit counts the routes of a sidecar by the namespace whose policies add them.
type RouteLimit map[string]int

// Admit counts routes of a namespace, and reports whether they are within MaxRoutes. Routes that are not do not count.
func (l RouteLimit) Admit(namespace string, routes int) bool {
	if l[namespace]+routes > MaxRoutes {
		return false
	}
	l[namespace] += routes
	return true
}
