package peers

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// CheckMesh returns a function that finds why a new MeshPeer of a mesh will not be accepted: it shares names with the mesh, which rejects it, or with other
// MeshPeers, which may change. The problems are those that its status would have. It finds nothing about other objects.
func CheckMesh(name string, mesh *mirror.Mirror, domains func() identity.TrustDomains) func(*unstructured.Unstructured) []ingest.Problem {
	source := kinds.Peers(name)
	return func(object *unstructured.Unstructured) []ingest.Problem {
		if object.GroupVersionKind().GroupKind() != kinds.MeshPeer.GroupKind() {
			return nil
		}
		typed, err := kinds.Typed(object, source.Object)
		if err != nil {
			return nil // the rules of the kind report it
		}
		entry, _ := source.Ingest(typed)
		peer, ok := entry.(*catalog.Peer)
		if !ok {
			return nil // of another mesh, or rejected by the rules of the kind
		}
		return checkPeer(peer, mesh, domains().Known)
	}
}

// checkPeer finds why a peer will not be accepted.
func checkPeer(peer *catalog.Peer, mesh *mirror.Mirror, own []string) []ingest.Problem {
	var found ingest.Problems
	if shared := peering.SharedWithMesh(peer.TrustDomain, own); shared != "" {
		found.Reject(ingest.ReasonInvalidName, "%s", shared)
		return found
	}
	mesh.ReadWith(peer, func(v *catalog.View) {
		if older := v.OlderPeer(peer.Name); older != nil {
			found.Warn(ingest.ReasonNotUsed, "%s", peering.SharedWithPeer(peer.TrustDomain, older))
		} else if v.Peer(peer.Name) == nil {
			found.Warn(ingest.ReasonNotUsed, "%s", peering.TooManyPeers())
		}
	})
	return found
}
