package cli

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// peerProblems returns a function that says why a peer cannot connect, by the conditions of its MeshPeer and the peer gateway of this mesh.
func peerProblems(mesh *catalog.Catalog, objects []*unstructured.Unstructured) func(peer string) []diagnosis.Finding {
	declared := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		if object.GroupVersionKind().GroupKind() == kinds.MeshPeer.GroupKind() {
			declared[object.GetName()] = object
		}
	}
	return func(peer string) []diagnosis.Finding {
		object := declared[peer]
		if object == nil {
			return nil
		}
		problems := failedConditions(object)
		if len(mesh.View().PeerGatewayAddresses()) == 0 {
			problems = append(problems, diagnosis.Fail("set spec.peerGateway.mode of the Mesh to Managed",
				"the mesh has no peer gateway, so no connection of the peer %s arrives", peer))
		}
		return problems
	}
}

// failedConditions are the conditions of a MeshPeer without which the peer is not trusted. A peer without a stream is: workloads keep what they know.
func failedConditions(peer *unstructured.Unstructured) []diagnosis.Finding {
	conditions, err := kinds.ConditionsOf(peer)
	if err != nil {
		return nil
	}
	for _, kind := range []string{v1alpha1.PeerTrustReady, v1alpha1.PeerAccepted} {
		c := meta.FindStatusCondition(conditions, kind)
		if c != nil && c.Status == metav1.ConditionFalse && c.ObservedGeneration == peer.GetGeneration() {
			return []diagnosis.Finding{diagnosis.Fail("see `osm peer check`", "the condition %s of the MeshPeer %s is False: %s", kind, peer.GetName(), c.Message)}
		}
	}
	return nil
}
