package reference

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// connectionRoute is a TLSRoute or TCPRoute.
type connectionRoute struct {
	origin
	parents   []gatewayv1.ParentReference
	name      string
	created   time.Time
	hostnames []gatewayv1.Hostname
	refs      []gatewayv1.HTTPBackendRef
}

// connectionRoutes returns all routes of connections, the oldest first.
func (c *Cluster) connectionRoutes() []connectionRoute {
	var list []connectionRoute
	add := func(kind, namespace, name string, created time.Time, parents []gatewayv1.ParentReference, hostnames []gatewayv1.Hostname,
		refs []gatewayv1.BackendRef,
	) {
		route := connectionRoute{origin: origin{kind, namespace}, parents: parents, name: name, created: created, hostnames: hostnames}
		for _, ref := range refs {
			route.refs = append(route.refs, gatewayv1.HTTPBackendRef{BackendRef: ref})
		}
		list = append(list, route)
	}
	for _, r := range c.TLSRoutes {
		add("TLSRoute", r.Namespace, r.Name, r.CreationTimestamp.Time, r.Spec.ParentRefs, r.Spec.Hostnames, r.Spec.Rules[0].BackendRefs)
	}
	for _, r := range c.ConnectionRoutes {
		add("TCPRoute", r.Namespace, r.Name, r.CreationTimestamp.Time, r.Spec.ParentRefs, nil, r.Spec.Rules[0].BackendRefs)
	}
	slices.SortFunc(list, func(a, b connectionRoute) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.name, b.name))
	})
	return list
}

// connectionRoutesFor returns the routes for connections from a namespace to a port of a Service: those of the namespace, or else those of the Service's
// namespace. TLSRoutes have precedence over TCPRoutes, of which one applies.
func (c *Cluster) connectionRoutesFor(clients string, service *corev1.Service, port corev1.ServicePort) []connectionRoute {
	if isHTTP(port) {
		return nil
	}
	for _, namespace := range []string{clients, service.Namespace} {
		found := map[string][]connectionRoute{}
		for _, route := range c.connectionRoutes() {
			applies := slices.ContainsFunc(route.parents, func(ref gatewayv1.ParentReference) bool {
				return isParent([]gatewayv1.ParentReference{ref}, types.NamespacedName{Namespace: service.Namespace, Name: service.Name}) &&
					(ref.Port == nil || *ref.Port == port.Port)
			})
			if route.namespace == namespace && applies && (route.kind == "TCPRoute" || *port.AppProtocol == "https") {
				found[route.kind] = append(found[route.kind], route)
			}
		}
		switch {
		case len(found["TLSRoute"]) > 0:
			return found["TLSRoute"]
		case len(found["TCPRoute"]) > 0:
			return found["TCPRoute"][:1]
		}
	}
	return nil
}

// decideConnection returns the results of a connection to which routes apply.
func (c *Cluster) decideConnection(r Request, service *corev1.Service, port corev1.ServicePort, routes []connectionRoute) []Result {
	selected, ok := selectConnectionRoute(r, routes)
	if !ok {
		return []Result{{Outcome: Unavailable}}
	}
	usable, broken := c.backends(selected.origin, service, selected.refs)
	return c.distribute(r, service, port, usable, broken, Unavailable, func(share) Request { return r })
}

// selectConnectionRoute returns the TCPRoute, or the oldest TLSRoute with the most specific hostname for the server name.
func selectConnectionRoute(r Request, routes []connectionRoute) (connectionRoute, bool) {
	selected, specific := -1, -1
	for i, route := range routes {
		if route.kind == "TCPRoute" {
			selected = i
		}
		for _, hostname := range route.hostnames {
			if covers(string(hostname), strings.ToLower(r.ServerName)) && rating(hostname) > specific {
				selected, specific = i, rating(hostname)
			}
		}
	}
	if selected < 0 {
		return connectionRoute{}, false
	}
	return routes[selected], true
}

// covers reports whether a server name is a hostname, or ends like a wildcard.
func covers(hostname, serverName string) bool {
	suffix, isWildcard := strings.CutPrefix(hostname, "*")
	return hostname == serverName || isWildcard && strings.HasSuffix(serverName, suffix) && len(serverName) > len(suffix)
}

// rating is higher for a more specific hostname: those without a wildcard, and longer ones.
func rating(hostname gatewayv1.Hostname) int {
	if strings.HasPrefix(string(hostname), "*") {
		return len(hostname)
	}
	return 1000 + len(hostname)
}
