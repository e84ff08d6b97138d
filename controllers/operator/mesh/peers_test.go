package mesh

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
)

// peerWith returns a MeshPeer whose conditions are True, except for one.
func peerWith(name, kind string, status metav1.ConditionStatus, reason string) v1alpha1.MeshPeer {
	peer := v1alpha1.MeshPeer{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1}, Spec: v1alpha1.MeshPeerSpec{Mesh: "osm"}}
	peer.Status.ObservedGeneration = 1
	for _, each := range []string{v1alpha1.PeerAccepted, v1alpha1.PeerTrustReady, v1alpha1.PeerConnected, v1alpha1.PeerCompatible} {
		c := metav1.Condition{Type: each, Status: metav1.ConditionTrue, Reason: "Fine", Message: "fine"}
		if each == kind {
			c.Status, c.Reason = status, reason
		}
		peer.Status.Conditions = append(peer.Status.Conditions, c)
	}
	return peer
}

// The worst peer counts, and each that is not ready is named with the first condition that is not True.
func TestAssessPeers(t *testing.T) {
	ready := peerWith("a", "", "", "")
	away := peerWith("west", v1alpha1.PeerConnected, metav1.ConditionFalse, "Unreachable")
	rejected := peerWith("east", v1alpha1.PeerAccepted, metav1.ConditionFalse, "SharedTrustDomain")
	connecting := peerWith("north", v1alpha1.PeerConnected, metav1.ConditionUnknown, "Connecting")
	edited := peerWith("south", "", "", "")
	edited.Generation = 2
	for name, test := range map[string]struct {
		peers        []v1alpha1.MeshPeer
		state        conditions.State
		reason, text string
	}{
		"all are ready": {[]v1alpha1.MeshPeer{ready, ready}, conditions.Ready, v1alpha1.ReasonPeersReady, "2 of 2 peers are ready"},
		"some are not": {
			[]v1alpha1.MeshPeer{away, ready, connecting, rejected},
			conditions.Failing, v1alpha1.ReasonPeersNotReady,
			"3 of 4 peers are not ready: east (Accepted is False, SharedTrustDomain), north (Connected is Unknown, Connecting), west (Connected is False, Unreachable);",
		},
		"the first attempt":    {[]v1alpha1.MeshPeer{ready, connecting}, conditions.Progressing, v1alpha1.ReasonProgressing, "1 of 2 peers are not ready: north ("},
		"the spec has changed": {[]v1alpha1.MeshPeer{edited}, conditions.Progressing, v1alpha1.ReasonProgressing, "south has no status yet"},
		"versions differ": {
			[]v1alpha1.MeshPeer{peerWith("east", v1alpha1.PeerCompatible, metav1.ConditionFalse, "VersionsDiffer")},
			conditions.Failing, v1alpha1.ReasonPeersNotReady,
			"east (Compatible is False, VersionsDiffer)",
		},
	} {
		if got := assessPeers(test.peers); got.State != test.state || got.Reason != test.reason || !strings.Contains(got.Message, test.text) {
			t.Errorf("%s: got %+v, want %v, %s, %q", name, got, test.state, test.reason, test.text)
		}
	}
}

// Messages of conditions do not reconcile the Mesh, because they change often.
func TestPeerChanges(t *testing.T) {
	before := peerWith("east", v1alpha1.PeerConnected, metav1.ConditionFalse, "Unreachable")
	texts, otherMesh, otherReason := *before.DeepCopy(), *before.DeepCopy(), peerWith("east", v1alpha1.PeerConnected, metav1.ConditionFalse, "NoAnswer")
	texts.Status.Conditions[2].Message = "another attempt failed"
	otherMesh.Spec.Mesh = "other"
	for name, test := range map[string]struct {
		after v1alpha1.MeshPeer
		want  bool
	}{"another message": {texts, false}, "another reason": {otherReason, true}, "another mesh": {otherMesh, true}} {
		if got := peerChanges().Update(event.UpdateEvent{ObjectOld: &before, ObjectNew: &test.after}); got != test.want {
			t.Errorf("%s: passes is %t", name, got)
		}
	}
}
