package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// egress returns the destinations outside the mesh that a client may call, and their settings. The limit records policies that are not complete.
func egress(v *catalog.View, client identity.ServiceAccount, limit *authz.RouteLimit) ([]authz.EgressPort, map[string]*Upstream) {
	ports := authz.EgressPortsWithin(v, client, limit)
	upstreams := map[string]*Upstream{}
	add := func(name string) {
		if upstream := egressUpstream(v, client.Namespace, name); upstream != nil {
			upstreams[name] = upstream
		}
	}
	for _, port := range ports {
		add(port.Setting)
		for _, host := range port.Hosts {
			add(host.Setting)
		}
	}
	if len(upstreams) == 0 {
		return ports, nil
	}
	return ports, upstreams
}

// egressUpstream returns the settings of an UpstreamTrafficSetting for hosts outside the mesh; nil without one.
func egressUpstream(v *catalog.View, namespace, name string) *Upstream {
	setting := v.NamedUpstreamSetting(catalog.Name{Namespace: namespace, Name: name})
	if setting == nil {
		return nil
	}
	return &Upstream{Connections: setting.Connections, OutlierDetection: setting.OutlierDetection}
}
