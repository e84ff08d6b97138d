package verdict

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// serviceRanges are the ranges of the virtual addresses of Services.
var serviceRanges = []netip.Prefix{netip.PrefixFrom(virtualAddress(0), 24), netip.PrefixFrom(virtualAddress6(0), 64)}

// loadOnDemand makes the sidecars of some pods load destinations at the first connection.
func (w State) loadOnDemand() {
	w.add(&catalog.ServiceCIDR{Name: "kubernetes", Ranges: serviceRanges})
	for _, p := range pods {
		ref := entity.Ref{Kind: entity.KindPod, Name: p.name}
		if existing, ok := w[ref].(*inventory.Instance); ok && p.onDemand {
			loading := *existing
			loading.OnDemand = true
			w[ref] = &loading
		}
	}
}

// unknownDestination returns the possible observations of a client that may not call the destination, or if there is none. All Services with HTTP on a
// number share the listener of a sidecar that loads on demand, which then answers instead of closing the connection.
func unknownDestination(r Request) []string {
	isVirtual := slices.ContainsFunc(serviceRanges, func(p netip.Prefix) bool { return p.Contains(r.To.Addr()) })
	if !pods[r.Pod].onDemand || !isVirtual {
		return nil
	}
	if r.protocol() == inventory.ProtocolHTTP {
		return []string{"503", "400"} // 400 for a path that is none
	}
	return []string{"400"}
}
