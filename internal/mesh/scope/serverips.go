package scope

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// addServerIPs looks up the servers that are Services of the cluster. The control plane knows their addresses, so no sidecar has to ask DNS
// for them again and again.
func (s *Scope) addServerIPs(v *catalog.View) {
	for _, host := range s.servers() {
		if address, found := v.ClusterIP(host, s.Key.Class.IPv6); found {
			if s.ServerIPs == nil {
				s.ServerIPs = map[string]netip.Addr{}
			}
			s.ServerIPs[host] = address
		}
	}
}

// servers are the hosts of all servers outside the mesh. A host may occur several times.
func (s *Scope) servers() []string {
	var hosts []string
	if s.Tracing != nil {
		hosts = append(hosts, s.Tracing.Address)
	}
	if s.AccessLog != nil && s.AccessLog.Export != nil {
		hosts = append(hosts, s.AccessLog.Export.Service.Address)
	}
	if s.ExternalAuthorization != nil {
		hosts = append(hosts, s.ExternalAuthorization.Address)
	}
	for _, a := range s.Authorizations {
		if a.Service != nil {
			hosts = append(hosts, a.Service.Address)
		}
	}
	for _, in := range s.Inbound {
		hosts = append(hosts, in.Limits.servers()...)
	}
	for _, port := range s.EgressPorts {
		for _, host := range port.Hosts {
			hosts = append(hosts, host.Host)
		}
	}
	if s.EgressGateway != nil {
		for _, d := range s.EgressGateway.Destinations {
			hosts = append(hosts, d.Host)
		}
	}
	return hosts
}

// servers are the hosts of the rate limit services.
func (l *Limits) servers() []string {
	var hosts []string
	if l != nil && l.GlobalRequests != nil {
		hosts = append(hosts, l.GlobalRequests.Address)
	}
	if l != nil && l.GlobalConnections != nil {
		hosts = append(hosts, l.GlobalConnections.Address)
	}
	return hosts
}
