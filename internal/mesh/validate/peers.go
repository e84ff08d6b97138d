package validate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Bounds of the schema. A forged review has not passed it.
const (
	maxPeerRoots    = 64 << 10
	maxPeerGateways = 16
)

// meshPeer validates a MeshPeer of any mesh.
func meshPeer(u *unstructured.Unstructured) []ingest.Problem {
	var peer operatorv1alpha1.MeshPeer
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &peer); err != nil {
		return []ingest.Problem{{Reason: ingest.ReasonMalformed, Message: fmt.Sprintf("A field of this MeshPeer has the wrong type: %s.", err)}}
	}
	if len(peer.Spec.Trust.CABundle) > maxPeerRoots || len(peer.Spec.Gateways) > maxPeerGateways {
		return []ingest.Problem{{Reason: ingest.ReasonMalformed, Message: "spec.trust.caBundle or spec.gateways of this MeshPeer is too long."}}
	}
	_, problems := kinds.Peers(peer.Spec.Mesh).Ingest(&peer)
	return problems
}
