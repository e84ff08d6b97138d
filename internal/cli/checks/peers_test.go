package checks_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func meshWithTrustDomain(domain string) *v1alpha1.Mesh {
	m := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	m.Status.Certificates = &v1alpha1.CertificatesStatus{TrustDomain: domain}
	return m
}

func peerIn(name, domain string, conditions ...metav1.Condition) *v1alpha1.MeshPeer {
	return &v1alpha1.MeshPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.MeshPeerSpec{Mesh: "osm", TrustDomain: domain},
		Status: v1alpha1.MeshPeerStatus{Conditions: conditions, Exports: 2, Imports: 1, RootFingerprints: []string{"abc"}, AcknowledgedRoots: []string{"def"}},
	}
}

func TestPeersAreChecked(t *testing.T) {
	other := kinds.Object(kinds.ServiceExport)
	other.SetNamespace("shop")
	other.SetName("cart")
	gateway := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-peer-gateway"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "it is so"}
	}
	groups := subject(t, meshWithTrustDomain("cluster.local"), gateway, other,
		peerIn("east", "east.cluster.local", condition(v1alpha1.PeerAccepted, metav1.ConditionFalse, "SharedTrustDomain")),
		peerIn("west", "west.example", condition(v1alpha1.PeerAccepted, metav1.ConditionTrue, "Accepted"), condition(v1alpha1.PeerTrustReady, metav1.ConditionTrue, "Trusted"),
			condition(v1alpha1.PeerConnected, metav1.ConditionFalse, "Unreachable"), condition(v1alpha1.PeerCompatible, metav1.ConditionUnknown, "NotConnected"),
			condition(v1alpha1.PeerTrustDiffersFromDeclaration, metav1.ConditionTrue, "Followed")),
	).Peers(t.Context())
	contains(t, groups,
		"error: the trust domain east.cluster.local of the peer east is that of this mesh, cluster.local, or one is below the other",
		"warning: the mesh has the default trust domain cluster.local",
		"warning: the load balancer of the peer gateway has no address yet",
		"info: 1 objects of the kind ServiceExport have no label openservicemesh.io/peer, such as shop/cart",
		"error: Accepted is False, SharedTrustDomain: it is so",
		"warning: condition TrustReady is not set yet",
		"warning: Connected, Unreachable: it is so", "warning: Compatible, NotConnected: it is so", "warning: it is so",
		"ok: trusted roots: abc", "ok: roots of this mesh that it acknowledges: def", "ok: it may call 2 Services of this mesh, and 1 of its Services are imported",
	)
}

// TestPeerThatWasConnectedIsAnError checks that a connection that is lost counts more than one that never was.
func TestPeerThatWasConnectedIsAnError(t *testing.T) {
	peer := peerIn("west", "west.example", metav1.Condition{Type: v1alpha1.PeerConnected, Status: metav1.ConditionFalse, Reason: "Unreachable", Message: "it is so"})
	peer.Status.LastConnectedTime = &metav1.Time{Time: now}
	contains(t, subject(t, meshWithTrustDomain("a.example"), peer).Peers(t.Context()), "error: Connected is False, Unreachable: it is so")
}

func TestMeshWithoutPeers(t *testing.T) {
	groups := subject(t, meshWithTrustDomain("a.example"), &v1alpha1.MeshPeer{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: v1alpha1.MeshPeerSpec{Mesh: "other"}}).Peers(t.Context())
	contains(t, groups, "ok: the trust domain is a.example", "error: the mesh has no peer gateway", "info: the mesh has no MeshPeer")
	if worst := diagnosis.Worst(groups); worst != diagnosis.Error {
		t.Errorf("the result is %s", worst)
	}
}
