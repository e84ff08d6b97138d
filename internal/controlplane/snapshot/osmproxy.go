package snapshot

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// livePodOfOSM returns the pod of a sidecar of Open Service Mesh, and completes its peer. The connection must come from the address of the pod, also
// where the address of another client would be accepted: the certificate is in a Secret of the namespace, and is valid for years.
func (s *Store) livePodOfOSM(view *catalog.View, peer *Peer) (*inventory.Instance, error) {
	if view.ServiceAccountUID(peer.OSMProxy.AmbiguousAccount()) != "" {
		return nil, fmt.Errorf("%w: a service account has the name in the certificate", ErrNoSidecar)
	}
	pod, account := view.OSMPodAt(peer.Address, peer.ServiceAccount, peer.OSMProxy.UUID), view.ServiceAccountUID(peer.ServiceAccount)
	switch {
	case pod == nil && view.HasPodAt(peer.Address):
		return nil, ErrAddressMismatch
	case pod == nil:
		return nil, fmt.Errorf("%w: no pod at %s has the sidecar %s of service account %s", ErrUnknown, peer.Address, peer.OSMProxy.UUID, peer.ServiceAccount)
	case account == "":
		return nil, fmt.Errorf("%w: service account %s does not exist", ErrUnknown, peer.ServiceAccount)
	}
	peer.Pod, peer.InstanceID, peer.ServiceAccountUID = pod.Name, pod.ID, account
	return pod, nil
}

// CountOSMProxies returns the number of pods with connected sidecars of Open Service Mesh.
func (s *Store) CountOSMProxies() int {
	pods := map[entity.InstanceID]struct{}{}
	for _, stream := range s.registry.list() {
		if stream.peer.OSMProxy != nil {
			pods[stream.peer.InstanceID] = struct{}{}
		}
	}
	return len(pods)
}

// isServed reports whether a live pod is still the one of the peer, and gets configuration.
func (p Peer) isServed(view *catalog.View, pod *inventory.Instance) bool {
	if p.OSMProxy == nil {
		return view.IsServed(pod)
	}
	return pod.HasOSMProxy(p.OSMProxy.UUID) && view.InMesh(pod.Name.Namespace)
}
