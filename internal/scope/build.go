package scope

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Destinations are what a client may call.
type Destinations struct {
	// Outbound and Clusters are those of a Scope.
	Outbound []Outbound
	Clusters []Cluster
}

// Build makes the scope of a key. What it read is recorded in the view.
func Build(v *catalog.View, trustDomain string, key Key) *Scope {
	return BuildSharing(v, trustDomain, key, nil)
}

// BuildSharing is Build with the destinations that Common made of the same mesh, which the scope then shares; with nil it makes
// its own. It is for SharesCommon to say who may share. What Common read is not recorded in the view.
func BuildSharing(v *catalog.View, trustDomain string, key Key, common *Destinations) *Scope {
	settings := v.Settings()
	s := &Scope{Key: key, TrustDomain: trustDomain, TLS: settings.TLS, Egress: settings.Egress, Open: settings.Leaving > 0}
	s.Transparent = settings.Leaving == catalog.LeavingTransparent
	s.Egress = s.Egress || s.Transparent
	for _, name := range names(key.Services) {
		if service := v.Service(name); service != nil {
			s.Inbound = append(s.Inbound, inbound(v, key, service)...)
		}
	}
	if common == nil {
		own := destinations(v, key.Identity)
		common = &own
	}
	s.Outbound, s.Clusters = common.Outbound, common.Clusters
	s.Retries = retries(v, key.Identity, settings.RetryPolicies)
	return s
}

// Common are the destinations of every client, where nobody asks who calls: in a permissive mesh, and in permissive namespaces.
// It is nil where everybody is asked. What it read is recorded in the view.
func Common(v *catalog.View) *Destinations {
	if !permissiveAnywhere(v) {
		return nil
	}
	d := destinations(v, identity.ServiceAccount{})
	return &d
}

func destinations(v *catalog.View, client identity.ServiceAccount) Destinations {
	o := outbounds{view: v, client: client, clusters: map[string]Cluster{}}
	var d Destinations
	for _, name := range o.reachable() {
		if service := v.Service(name); service != nil {
			d.Outbound = append(d.Outbound, o.of(service)...)
		}
	}
	d.Outbound = withoutDuplicates(d.Outbound)
	d.Clusters = slices.SortedFunc(maps.Values(o.clusters), compareClusters)
	return d
}

// inbound makes one element a distinct container port of the Service: two Service ports that lead to the same container
// port are one door.
func inbound(v *catalog.View, key Key, service *catalog.Service) []Inbound {
	var list []Inbound
	seen := map[uint16]bool{}
	limits := limitsOf(upstreamSetting(v, service.Name))
	for _, port := range service.Ports {
		target := v.TargetPort(service, port)
		if target == 0 || seen[target] {
			continue
		}
		seen[target] = true
		protocol := authz.Door(v, service, port)
		list = append(list, Inbound{
			Service:    service.Name,
			Port:       port.Number,
			TargetPort: target,
			Protocol:   protocol,
			Rules:      authz.Inbound(v, key.Identity, target, protocol),
			Limits:     limits,
		})
	}
	return list
}

func compareClusters(a, b Cluster) int {
	return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.TargetPort, b.TargetPort))
}
