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
)

// ReasonConflicted means that other routes apply to all ports of a parent.
const ReasonConflicted = "Conflicted"

// acceptConnections reports whether a TLSRoute or TCPRoute applies to a port of a Service: other routes of its namespace can have precedence. routed are
// those of the ports of the parent that have a protocol of its kind.
func acceptConnections(v *catalog.View, route *catalog.HTTPRoute, service entity.Name, ports, routed []inventory.Port) Verdict {
	var notes, conflicts []string
	for _, port := range routed {
		if conflict := connectionConflict(v, route, service, port); conflict != "" {
			conflicts = append(conflicts, conflict)
		}
	}
	if len(conflicts) == len(routed) {
		return Verdict{Reason: ReasonConflicted, Message: conflicts[0]}
	}
	if route.Kind == entity.KindGatewayTCPRoute {
		notes = append(notes, httpPorts(ports)...)
	}
	notes = append(notes, conflicts...)
	if route.Kind == entity.KindTLSRoute {
		notes = append(notes, takenNames(v, route, service, routed)...)
	}
	if text := noEffect(route.Ignored); text != "" {
		notes = append(notes, text)
	}
	return Verdict{OK: true, Reason: string(gatewayv1.RouteReasonAccepted), Message: strings.Join(notes, " ")}
}

// connectionConflict describes which other route applies to a port; empty if the route applies itself.
func connectionConflict(v *catalog.View, route *catalog.HTTPRoute, service entity.Name, port inventory.Port) string {
	applying, i := applyingRoutes(v, route, service, port)
	switch {
	case len(applying) == 0: // the view has none of the routes
		return ""
	case i < 0 && applying[0].Kind != route.Kind:
		return fmt.Sprintf("TLSRoute %s routes the connections to port %d of Service %s, and TLSRoutes have precedence over TCPRoutes: delete one of them, or limit this route to other ports.",
			applying[0].Name, port.Number, service)
	case i < 0:
		return fmt.Sprintf("The older TCPRoute %s routes the connections to port %d of Service %s, and one TCPRoute applies to a port: delete one of them, or limit this route to other ports.",
			applying[0].Name, port.Number, service)
	case route.Kind == entity.KindTLSRoute && len(authz.ServerNames(applying)[i]) == 0:
		return fmt.Sprintf("Older TLSRoutes, such as %s, have all hostnames of this route for port %d of Service %s: use other hostnames, or delete one of the routes.",
			applying[0].Name, port.Number, service)
	}
	return ""
}

// applyingRoutes returns the routes that apply to a port for clients in the namespace of a route, and its position among them; -1 if it does not apply.
func applyingRoutes(v *catalog.View, route *catalog.HTTPRoute, service entity.Name, port inventory.Port) (routes []*catalog.HTTPRoute, position int) {
	routes = v.ServiceRoutes(route.Name.Namespace, service, port)
	return routes, slices.IndexFunc(routes, func(r *catalog.HTTPRoute) bool { return r.Ref() == route.Ref() })
}

// httpPorts describes the ports of a parent to which a TCPRoute does not apply.
func httpPorts(ports []inventory.Port) []string {
	var numbers []string
	for _, port := range ports {
		if port.Protocol.IsHTTP() {
			numbers = append(numbers, strconv.Itoa(int(port.Number)))
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("It does not apply to port %s, whose HTTP requests HTTPRoutes and GRPCRoutes route.", strings.Join(numbers, " and "))}
}

// takenNames describes the hostnames of a TLSRoute that older ones have on a port where it has others.
func takenNames(v *catalog.View, route *catalog.HTTPRoute, service entity.Name, ports []inventory.Port) []string {
	for _, port := range ports {
		applying, i := applyingRoutes(v, route, service, port)
		if i < 0 {
			continue
		}
		owned := authz.ServerNames(applying)[i]
		taken := slices.DeleteFunc(slices.Clone(route.Hostnames), func(name string) bool { return slices.Contains(owned, name) })
		if len(taken) > 0 && len(owned) > 0 {
			return []string{fmt.Sprintf("Older TLSRoutes have the hostname %s, which has no effect here.", strings.Join(taken[:min(len(taken), 3)], ", "))}
		}
	}
	return nil
}
