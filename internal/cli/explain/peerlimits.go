package explain

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// noTrustDomain is a trust domain that no mesh has. With it, a scope has the peers whatever their trust domains are: the status of a MeshPeer says which is not
// accepted for that.
const noTrustDomain = "mesh.invalid"

// denyOmitted makes an allowed candidate one that the sidecar of its destination denies, because it does not have the clients of the peer.
func (m Mesh) denyOmitted(e peerEvaluator, p servicePort, candidate *Candidate) {
	pod := m.podBehind(e, p, candidate.Destination)
	if !candidate.isAllowed() || pod == nil {
		return
	}
	target := e.v.TargetPort(p.service, p.port)
	s := scope.Build(e.v, noTrustDomain, scope.KeyFor(e.v, pod))
	isAdmitted := slices.ContainsFunc(s.Inbound, func(in scope.Inbound) bool {
		return in.TargetPort == target && slices.ContainsFunc(in.Peers, func(peer scope.PeerInbound) bool { return peer.Peer == e.source.Peer })
	})
	switch {
	case isAdmitted:
	case pod.OSMSidecar:
		candidate.deny(authz.Unavailable, response(authz.Unavailable, p.port.Protocol),
			"pods with sidecars of this mesh: those of Open Service Mesh admit no accounts of peers. Restart the workload")
	default:
		candidate.deny(authz.Unavailable, response(authz.Unavailable, p.port.Protocol),
			fmt.Sprintf("at most %d filter chains for peers in the sidecar: use fewer exported ports, or fewer accounts on ports without HTTP", scope.MaxPeerChains))
	}
}

// podBehind returns a pod of an identity behind a Service; nil without one.
func (m Mesh) podBehind(e peerEvaluator, p servicePort, account string) *inventory.Instance {
	for _, entry := range m.Catalog.Entries(entity.KindPod) {
		pod := entry.(*inventory.Instance)
		if pod.Identity().String() == account && !pod.Finished && slices.Contains(e.v.ServicesOfPod(pod), p.service.Name) {
			return pod
		}
	}
	return nil
}
