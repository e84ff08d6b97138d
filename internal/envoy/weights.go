package envoy

import (
	"math"

	"github.com/openservicemesh/osm-operator/internal/scope"
)

// weighted is a cluster with its share of the traffic, at least 1.
type weighted struct {
	cluster string
	weight  uint32
}

// backends are the clusters that an outbound port leads to. Those without weight are left out; none left means that the
// port leads nowhere. Envoy refuses a total beyond 32 bits, so large weights are scaled down together.
func backends(o scope.Outbound) []weighted {
	if reachesPodsDirectly(o) {
		return []weighted{{cluster: podsClusterName(o.Service, o.PodPort), weight: 1}}
	}
	var total uint64
	for _, b := range o.Backends {
		total += uint64(b.Weight)
	}
	divisor := uint32(total/math.MaxUint32 + 1)
	var out []weighted
	for _, b := range o.Backends {
		if b.Weight > 0 {
			out = append(out, weighted{cluster: b.Cluster, weight: max(1, b.Weight/divisor)})
		}
	}
	return out
}

// reachesPodsDirectly says whether the client's own choice of a pod decides: a headless Service that is not split. Balancing
// would hand the connection to another member of a StatefulSet than the one that was asked for.
func reachesPodsDirectly(o scope.Outbound) bool {
	if !o.Headless() || len(o.Backends) != 1 {
		return false
	}
	// A TrafficSplit may give the Service itself no weight; then there is nowhere to go.
	only := o.Backends[0]
	return only.Weight > 0 && only.Cluster == scope.ClusterName(o.Service, o.PodPort)
}
