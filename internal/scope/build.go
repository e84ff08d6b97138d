package scope

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Build makes the scope of a key. What it read is recorded in the view.
func Build(v *catalog.View, trustDomain string, key Key) *Scope {
	settings := v.Settings()
	s := &Scope{Key: key, TrustDomain: trustDomain, TLS: settings.TLS, Egress: settings.Egress}
	for _, name := range names(key.Services) {
		if service := v.Service(name); service != nil {
			s.Inbound = append(s.Inbound, inbound(v, key, service)...)
		}
	}
	o := outbounds{view: v, client: key.Identity, clusters: map[string]Cluster{}}
	for _, name := range o.reachable(settings.Permissive) {
		if service := v.Service(name); service != nil {
			s.Outbound = append(s.Outbound, o.of(service)...)
		}
	}
	s.Outbound = withoutDuplicates(s.Outbound)
	s.Clusters = slices.SortedFunc(maps.Values(o.clusters), compareClusters)
	return s
}

// inbound makes one element a distinct container port of the Service: two Service ports that lead to the same container
// port are one door.
func inbound(v *catalog.View, key Key, service *catalog.Service) []Inbound {
	var list []Inbound
	seen := map[uint16]bool{}
	for _, port := range service.Ports {
		target := v.TargetPort(service, port)
		if target == 0 || seen[target] {
			continue
		}
		seen[target] = true
		list = append(list, Inbound{
			Service:    service.Name,
			Port:       port.Number,
			TargetPort: target,
			Protocol:   port.Protocol,
			Rules:      authz.Inbound(v, key.Identity, target, port.Protocol),
		})
	}
	return list
}

func compareClusters(a, b Cluster) int {
	return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.TargetPort, b.TargetPort))
}
