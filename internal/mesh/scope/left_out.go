package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// ServicePort is a port of a Service.
type ServicePort struct {
	Service catalog.Name
	Port    uint16
}

// LeftOutSplits returns the TrafficSplits whose routes the sidecar of a client does not have because of authz.MaxRoutes, by port of their root Service.
func LeftOutSplits(v *catalog.View, client identity.ServiceAccount) map[ServicePort]map[catalog.Ref]struct{} {
	if UsesSharedDestinations(v, client) {
		client = identity.ServiceAccount{}
	}
	found := map[ServicePort]map[catalog.Ref]struct{}{}
	o := newOutboundBuilder(v, client)
	o.leaveOut = func(out Outbound, split *catalog.TrafficSplit) {
		port := ServicePort{out.Service, out.Port}
		if found[port] == nil {
			found[port] = map[catalog.Ref]struct{}{}
		}
		found[port][split.Ref()] = struct{}{}
	}
	o.destinations()
	return found
}
