package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// About how many bytes parts of the configuration need as they are sent.
const (
	// bytesPerRoute is twice what a route may have in texts: a match is in routes and in permissions.
	bytesPerRoute   = 512
	bytesPerChain   = 4096
	bytesPerCluster = 1024
)

// EstimatedBytes returns about how large the configuration of the scope is, without what is shared with other scopes by shared destinations. It needs
// little time compared with a translation.
func (s *Scope) EstimatedBytes() int {
	routes, ports, lists := 0, portWeights{}, map[*catalog.HTTPMatch]int{}
	add := func(matches []catalog.HTTPMatch) {
		key := first(matches)
		weight, known := lists[key]
		if !known {
			weight = authz.RoutesOfMatches(matches)
			lists[key] = weight
		}
		routes += weight
	}
	for i := range s.Inbound {
		w := ports.of(&s.Inbound[i])
		routes += w.rules + w.limits
	}
	for i := range s.Ingress {
		add(s.Ingress[i].Matches)
		routes += len(s.Ingress[i].Prefixes) + len(s.Ingress[i].Principals)
	}
	for i := range s.Outbound {
		routes += len(s.Outbound[i].Backends)
		for k := range s.Outbound[i].HTTPRoutes {
			routes += s.Outbound[i].HTTPRoutes[k].Weight
		}
		for k := range s.Outbound[i].ConnectionRoutes {
			routes += s.Outbound[i].ConnectionRoutes[k].weight()
		}
		for _, r := range s.Outbound[i].Routes {
			add(r.Matches)
			routes += len(r.Matches) * len(r.Backends)
		}
	}
	for _, port := range s.EgressPorts {
		for _, host := range port.Hosts {
			add(host.Matches)
		}
	}
	return routes*bytesPerRoute + s.chains()*bytesPerChain + len(s.Clusters)*bytesPerCluster
}

// DenyAll returns the scope of the same sidecars without any traffic: nobody may connect to them, and they may connect to nobody. Its TrafficTargets
// are listed as limited.
func (s *Scope) DenyAll() *Scope {
	var limit authz.RouteLimit
	for i := range s.Inbound {
		recordLimited(&limit, &s.Inbound[i], portWeight{rules: 1})
	}
	denied := &Scope{Common: s.Common, Sidecar: Sidecar{DeniedPorts: len(s.Inbound) + s.DeniedPorts}}
	denied.Clusters, denied.AccessLog, denied.Limited = nil, nil, slices.Clone(s.Limited)
	denied.addLimited(limit.Limited())
	return denied
}
