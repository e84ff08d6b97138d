package envoy

import (
	"math"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/scope"
)

// weighted is a cluster with its share of the traffic, at least 1.
type weighted struct {
	cluster string
	weight  uint32
}

// backends are the clusters that share what an outbound port sends to a list of backends. Those without weight are left out; none
// left means that the list leads nowhere. Envoy refuses a total beyond 32 bits, so large weights are scaled down together.
func backends(o scope.Outbound, list []scope.Backend) []weighted {
	if chosenByClient(o, list) {
		return []weighted{{cluster: podsClusterName(o.Service, o.PodPort), weight: 1}}
	}
	var total uint64
	for _, b := range list {
		total += uint64(b.Weight)
	}
	divisor := uint32(total/math.MaxUint32 + 1)
	var out []weighted
	for _, b := range list {
		if b.Weight > 0 {
			out = append(out, weighted{cluster: b.Cluster, weight: max(1, b.Weight/divisor)})
		}
	}
	return out
}

// chosenByClient says whether the client's own choice of a pod decides: a headless Service that takes requests itself. Balancing
// would hand the connection to another member of a StatefulSet than the one that was asked for.
func chosenByClient(o scope.Outbound, list []scope.Backend) bool {
	if !o.Headless() || len(list) != 1 {
		return false
	}
	// A TrafficSplit may give the Service itself no weight; then there is nowhere to go.
	return list[0].Weight > 0 && list[0].Cluster == scope.ClusterName(o.Service, o.PodPort)
}

// reachesPodsDirectly says whether any of the requests to an outbound port go to the pod that the client has chosen.
func reachesPodsDirectly(o scope.Outbound) bool {
	return chosenByClient(o, o.Backends) ||
		slices.ContainsFunc(o.Routes, func(r scope.OutboundRoutes) bool { return chosenByClient(o, r.Backends) })
}
