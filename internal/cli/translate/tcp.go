package translate

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// tcpRouteOf returns the TCPRoute for a port to which a TrafficSplit without matches applies. A TrafficSplit with matches does not.
func (t *toRoutes) tcpRouteOf(service *inventory.Service, port inventory.Port, found *obstacles) *route {
	split := t.view.Split(service.Name)
	backends := t.backendsOf(split, port, found)
	if len(backends) == 0 {
		found.keep(split.Ref(), "Keep it for the TCP port %d, which none of its backends has: a TCPRoute needs a backend.", port.Number)
		return nil
	}
	return t.newRoute(entity.KindGatewayTCPRoute, service.Name.Namespace, service, port, []routeRule{{backends: backends, split: split}})
}

// withoutMatches returns the TrafficSplits that apply to a Service without HTTP, and adds a note for the others.
func (t *toRoutes) withoutMatches(splits []*catalog.TrafficSplit) []*catalog.TrafficSplit {
	return slices.DeleteFunc(splits, func(split *catalog.TrafficSplit) bool {
		if len(split.Matches) > 0 {
			t.note(split.Ref(), Idle, "its Service has no HTTP port. Delete it.")
		}
		return len(split.Matches) > 0
	})
}

// unusableShare says what a route does with the share of a backend that it cannot use.
func unusableShare(port inventory.Port) string {
	if port.Protocol.IsHTTP() {
		return "answers the share of such a backend with 500"
	}
	return "closes the connections of the share of such a backend"
}

// checkTCP reports TCP ports of a Service without a route, to which a TrafficSplit without matches would apply.
func (t *toSMI) checkTCP(service *inventory.Service, rules []splitRule, found *obstacles) {
	if isSelf(rules, service.Name) {
		return
	}
	for _, port := range service.Ports {
		if !port.Protocol.IsHTTP() && len(t.view.ServiceRoutes(service.Name.Namespace, service.Name, port)) == 0 {
			found.add(entity.Ref{}, "A TrafficSplit would apply to the TCP port %d of Service %s as well, and it has no route.", port.Number, service.Name.Name)
		}
	}
}
