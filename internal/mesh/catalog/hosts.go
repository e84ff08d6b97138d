package catalog

import (
	"net/netip"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ClusterIP returns a virtual address of a Service of the cluster by its DNS name: "<service>.<namespace>.svc", alone or below the domain of most
// clusters. The Service need not be part of the mesh. Without ipv6, only IPv4 addresses are returned. It is false for other names, and for
// Services without such an address.
func (v *View) ClusterIP(host string, ipv6 bool) (netip.Addr, bool) {
	name, known := ServiceOfHost(host)
	if !known {
		return netip.Addr{}, false
	}
	if service := v.AnyService(name); service != nil && len(service.ClusterIPs) > 0 {
		if first := service.ClusterIPs[0]; first.Is4() || ipv6 { // IPv4 addresses come first
			return first, true
		}
	}
	return netip.Addr{}, false
}

// ServiceOfHost parses the DNS name of a Service with its namespace.
func ServiceOfHost(host string) (entity.Name, bool) {
	host = strings.TrimSuffix(strings.TrimSuffix(host, "."), "."+names.DefaultClusterDomain)
	parts := strings.Split(host, ".")
	if len(parts) != 3 || parts[2] != "svc" || parts[0] == "" || parts[1] == "" {
		return entity.Name{}, false
	}
	return entity.Name{Namespace: parts[1], Name: parts[0]}, true
}
