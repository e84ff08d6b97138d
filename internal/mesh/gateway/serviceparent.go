package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ServiceParents returns the status of a route for those of its parents that are Services, in their order. The sidecars of clients apply such routes.
func ServiceParents(v *catalog.View, route *catalog.HTTPRoute) []ParentStatus {
	var parents []ParentStatus
	for _, parent := range route.Parents {
		if parent.Service == (entity.Name{}) {
			continue
		}
		parents = append(parents, ParentStatus{
			Parent: parent, Accepted: acceptService(v, route, parent), ResolvedRefs: serviceBackends(v, parent.Service, route),
		})
	}
	return parents
}

// acceptService reports whether a route applies to a port of a Service.
func acceptService(v *catalog.View, route *catalog.HTTPRoute, parent catalog.RouteParent) Verdict {
	service := v.Service(parent.Service)
	if service == nil {
		return no(gatewayv1.RouteReasonNoMatchingParent, "There is no Service %s in the mesh.", parent.Service)
	}
	ports := slices.DeleteFunc(slices.Clone(service.Ports), func(p inventory.Port) bool { return !parent.Selects(p) })
	routed := slices.DeleteFunc(slices.Clone(ports), func(p inventory.Port) bool { return !route.Attaches(parent.Service, p) })
	switch {
	case len(ports) == 0 && parent.Section != "":
		return no(gatewayv1.RouteReasonNoMatchingParent, "The Service %s has no port with the name and number of this parent.", parent.Service)
	case len(ports) == 0:
		return no(gatewayv1.RouteReasonNoMatchingParent, "The Service %s has no port %d.", parent.Service, parent.Port)
	case len(routed) == 0:
		return no(gatewayv1.RouteReasonNoMatchingParent, "%s", noRoutedPort(route.Kind, parent.Service, ports))
	case route.Kind.RoutesConnections():
		return acceptConnections(v, route, parent.Service, ports, routed)
	}
	return acceptRules(route, noEffect(ignoredForServices(route)))
}

// noRoutedPort describes that routes of a kind apply to none of the ports of a Service.
func noRoutedPort(kind entity.Kind, service entity.Name, ports []inventory.Port) string {
	if len(ports) == 1 {
		port := fmt.Sprintf("Port %d of Service %s has the protocol %s", ports[0].Number, service, ports[0].Protocol)
		switch kind {
		case entity.KindTLSRoute:
			return port + ", and TLSRoutes apply to ports whose application uses TLS: set its appProtocol to https or tls."
		case entity.KindGatewayTCPRoute:
			return port + ", whose requests are routed one by one: use an HTTPRoute, or set its appProtocol to tcp."
		}
		return port + ", and " + string(kind) + "s apply to HTTP: set its appProtocol to http, or use a TCPRoute."
	}
	switch kind {
	case entity.KindTLSRoute:
		return fmt.Sprintf("The Service %s has no port whose application uses TLS: set appProtocol of a port to https or tls.", service)
	case entity.KindGatewayTCPRoute:
		return fmt.Sprintf("The Service %s has only HTTP ports, whose requests are routed one by one: use an HTTPRoute, or set appProtocol of a port to tcp.", service)
	}
	return fmt.Sprintf("The Service %s has no HTTP port: set appProtocol of a port to http.", service)
}

// ignoredForServices returns the fields of a route that have no effect on requests to Services. Their address decides, and not the host of a request.
func ignoredForServices(route *catalog.HTTPRoute) []string {
	if len(route.Hostnames) == 0 {
		return route.Ignored
	}
	return append([]string{"spec.hostnames"}, route.Ignored...)
}

// serviceBackends reports whether the sidecars of clients can use all backends of a route for requests to the Service called.
func serviceBackends(v *catalog.View, called entity.Name, route *catalog.HTTPRoute) Verdict {
	verdict := yes(gatewayv1.RouteReasonResolvedRefs)
	for i := range route.Rules {
		for _, ref := range route.Rules[i].References() {
			if problem := ServiceBackend(v, called, route, ref); !problem.OK {
				verdict = problem
			}
		}
	}
	return verdict
}

// ServiceBackend reports whether the sidecars of clients can use one backend of a route for requests to the Service called.
func ServiceBackend(v *catalog.View, called entity.Name, route *catalog.HTTPRoute, ref catalog.RouteBackend) Verdict {
	if backend, problem := authz.ResolveBackend(v, called, route, ref); problem != "" {
		return unusableBackend(route, ref, problem, backend.Service)
	}
	return yes(gatewayv1.RouteReasonResolvedRefs)
}

// Replacement is a route of the namespace of a Service that applies instead of TrafficSplits.
type Replacement struct {
	Route *catalog.HTTPRoute
	// Ports are those on which it does, in the order of the Service. They are empty if these are all ports of the Service.
	Ports []uint16
}

// Message describes to users what the route does to the TrafficSplits of a Service.
func (r Replacement) Message(root entity.Name) string {
	what := "requests"
	if r.Route.Kind.RoutesConnections() {
		what = "connections"
	}
	if len(r.Ports) == 0 {
		return fmt.Sprintf("%s %s routes all %s to Service %s, so this split has no effect: delete one of them.", r.Route.Kind, r.Route.Name, what, root)
	}
	ports := lists.Map(r.Ports, func(port uint16) string { return strconv.Itoa(int(port)) })
	return fmt.Sprintf("%s %s routes %s to port %s of Service %s, so this split has no effect there: delete the split, or limit the route to other ports.",
		r.Route.Kind, r.Route.Name, what, strings.Join(ports, " and "), root)
}

// SplitReplacements returns the routes of the namespace of a Service that replace its TrafficSplits, in the order of the ports: the first one of each port.
// everywhere is true if they do so on all ports.
func SplitReplacements(v *catalog.View, service *inventory.Service) (found []Replacement, everywhere bool) {
	replaced := 0
	for _, port := range service.Ports {
		routes := v.RoutesOf(service.Name, port)
		at := slices.IndexFunc(routes, func(r *catalog.HTTPRoute) bool { return r.Name.Namespace == service.Name.Namespace })
		if at < 0 {
			continue
		}
		replaced++
		known := slices.IndexFunc(found, func(r Replacement) bool { return r.Route == routes[at] })
		if known < 0 {
			known = len(found)
			found = append(found, Replacement{Route: routes[at]})
		}
		found[known].Ports = append(found[known].Ports, port.Number)
	}
	if len(found) == 1 && replaced == len(service.Ports) {
		found[0].Ports = nil
	}
	return found, len(found) > 0 && replaced == len(service.Ports)
}
