package envoy

import (
	"math"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// weightedCluster is a cluster and its weight, at least 1.
type weightedCluster struct {
	cluster string
	weight  uint32
}

// weightedClusters are the clusters of a list of backends that have a weight. An empty result means that requests have
// no destination. Envoy rejects a total weight beyond 32 bits, so large weights are scaled down together.
func weightedClusters(o scope.Outbound, list []scope.Backend) []weightedCluster {
	if clientChoosesPod(o, list) {
		return []weightedCluster{{cluster: podsClusterName(o.Service, o.PodPort), weight: 1}}
	}
	var total uint64
	for _, b := range list {
		total += uint64(b.Weight)
	}
	divisor := uint32(total/math.MaxUint32 + 1)
	var out []weightedCluster
	for _, b := range list {
		if b.Weight > 0 {
			out = append(out, weightedCluster{cluster: b.Cluster, weight: max(1, b.Weight/divisor)})
		}
	}
	return out
}

// clientChoosesPod reports whether connections go to the pod that the client chose: the Service is headless and takes
// the requests itself. Load balancing would connect the client to another member of a StatefulSet.
func clientChoosesPod(o scope.Outbound, list []scope.Backend) bool {
	if !o.Headless() || len(list) != 1 {
		return false
	}
	// A TrafficSplit may give the Service itself a weight of 0.
	return list[0].Weight > 0 && list[0].Cluster == scope.ClusterName(o.Service, o.PodPort)
}

// needsPodsCluster reports whether any requests to an outbound port go to the pod that the client chose.
func needsPodsCluster(o scope.Outbound) bool {
	return clientChoosesPod(o, o.Backends) ||
		slices.ContainsFunc(o.Routes, func(r scope.OutboundRoutes) bool { return clientChoosesPod(o, r.Backends) })
}
