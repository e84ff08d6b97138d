package scope

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
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
	hosts := lists.Map(s.otherServers(), func(server catalog.Server) string { return server.Host })
	for _, service := range extensionServices(s.AccessLog, s.Authorizations) {
		hosts = append(hosts, service.Address)
	}
	for _, port := range s.EgressPorts {
		for _, host := range port.Hosts {
			hosts = append(hosts, host.Host)
		}
	}
	return append(hosts, lists.Map(s.GatewayDestinations(), func(d EgressDestination) string { return d.Host })...)
}

// servers are the rate limit services.
func (l *Limits) servers() []catalog.Server {
	var list []catalog.Server
	if l != nil && l.GlobalRequests != nil {
		list = append(list, catalog.Server{Host: l.GlobalRequests.Address, Port: l.GlobalRequests.Port})
	}
	if l != nil && l.GlobalConnections != nil {
		list = append(list, catalog.Server{Host: l.GlobalConnections.Address, Port: l.GlobalConnections.Port})
	}
	return list
}
