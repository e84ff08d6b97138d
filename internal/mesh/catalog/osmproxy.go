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
