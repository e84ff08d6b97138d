package translate

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// keepTCP reports a TCP port of a Service with TrafficSplits. An HTTPRoute does not apply to it. A TrafficSplit with matches does not either.
func (t *toRoutes) keepTCP(root catalog.Name, port catalog.Port, found *obstacles) {
	if split := t.view.Split(root); split != nil {
		found.keep(split.Ref(), "Keep it for the TCP port %d, to which HTTPRoutes do not apply.", port.Number)
	}
}

// checkTCP reports TCP ports of a Service with HTTPRoutes, to which a TrafficSplit without matches would apply.
func checkTCP(service *catalog.Service, rules []splitRule, found *obstacles) {
	if isSelf(rules, service.Name) {
		return
	}
	for _, port := range service.Ports {
		if !port.Protocol.IsHTTP() {
			found.add(catalog.Ref{}, "A TrafficSplit would apply to the TCP port %d of Service %s as well, and an HTTPRoute does not.", port.Number, service.Name.Name)
		}
	}
}
