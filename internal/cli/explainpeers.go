package cli

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/peeroffers"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// offersInFiles is why the offers of peers are unknown for a mesh in files.
const offersInFiles = "it is known to the control plane, and not part of files"

// importsOffers reports whether the answers about a mesh depend on what peers offer: it has ServiceImports of peers that count.
func importsOffers(v *catalog.View, imports []*catalog.ServiceImport) bool {
	return slices.ContainsFunc(imports, func(i *catalog.ServiceImport) bool { return v.Peer(i.Peer) != nil })
}

// peerOffers reads what peers offer from the control plane, within liveTimeout.
func (a *app) peerOffers(ctx context.Context, c client.Client, m mesh, peers []*catalog.Peer) peeroffers.Offers {
	a.progress().report("reading what the peers of mesh %s offer", m.Name)
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	return peeroffers.Read(ctx, a.reports(ctx, c, m), peers)
}

// addOffers adds what peers offer to a mesh of the cluster, if it imports Services.
func (a *app) addOffers(ctx context.Context, c client.Client, found mesh, loaded *load.Loaded, m *explain.Mesh) {
	v := loaded.Catalog.View()
	if !importsOffers(v, load.Sorted(loaded, func(*catalog.ServiceImport) bool { return true })) {
		return
	}
	offers := a.peerOffers(ctx, c, found, v.Peers())
	loaded.Add(offers.Entries)
	m.Offers = func(peer string) explain.Offers {
		return explain.Offers{Unknown: offers.Unknown[peer], StaleSince: offers.StaleSince[peer]}
	}
}

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
				"the mesh has no peer gateway, so no connection to or from the peer %s is possible", peer))
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
