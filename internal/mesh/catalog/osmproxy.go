package catalog

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// HasOSMProxy reports whether a pod has a sidecar of Open Service Mesh with a UUID, and none of this mesh.
func (p *Pod) HasOSMProxy(uuid string) bool {
	return p.OSMSidecar && !p.Injected && p.Labels[names.ProxyUUIDLabel] == uuid
}

// OSMPodAt returns the running pod at an address in the mesh that has a sidecar of Open Service Mesh with a UUID and runs as a service account, or nil.
func (v *View) OSMPodAt(address netip.Addr, account identity.ServiceAccount, uuid string) *Pod {
	for name := range v.catalog.podsAt[address] {
		pod := v.Pod(name)
		if pod != nil && !pod.Finished && pod.HasOSMProxy(uuid) && pod.Identity() == account && v.InMesh(name.Namespace) {
			return pod
		}
	}
	return nil
}

// HasPodAt reports whether a running pod has an address. It records no dependency, like IsAddressOfAnother.
func (v *View) HasPodAt(address netip.Addr) bool { return len(v.catalog.podsAt[address]) > 0 }

// HasOSMSidecars reports whether a pod behind a Service has a sidecar of Open Service Mesh.
func (v *View) HasOSMSidecars(service Name) bool {
	v.deps.add(DepServiceIdentities, service)
	return v.catalog.osmSidecars[service] > 0
}

// countOSMSidecar counts the sidecar of a pod that a Service begins or ceases to select, if it is one of Open Service Mesh. Only the first and the last matter.
func (c *Catalog) countOSMSidecar(service Name, isOSM bool, delta int, affected depSet) {
	if !isOSM {
		return
	}
	before := c.osmSidecars[service]
	if c.osmSidecars[service] = before + delta; before+delta == 0 {
		delete(c.osmSidecars, service)
	}
	if before == 0 || before+delta == 0 {
		affected.add(DepServiceIdentities, service)
	}
}
