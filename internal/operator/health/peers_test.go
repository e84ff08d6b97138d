package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// meshWithPeers is a mesh with a peer gateway.
func meshWithPeers() *v1alpha1.Mesh {
	return &v1alpha1.Mesh{
		ObjectMeta: metav1.ObjectMeta{Name: "osm"},
		Spec:       v1alpha1.MeshSpec{PeerGateway: &v1alpha1.PeerGatewaySpec{Mode: ptr.To(v1alpha1.PeerGatewayManaged)}},
	}
}

// connectedPeer is a MeshPeer of a peer that was connected at noon, and acknowledges some roots.
func connectedPeer(acknowledged ...string) *v1alpha1.MeshPeer {
	return &v1alpha1.MeshPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "east", Generation: 2},
		Spec:       v1alpha1.MeshPeerSpec{Mesh: "osm"},
		Status: v1alpha1.MeshPeerStatus{
			ObservedGeneration: 2, AcknowledgedRoots: acknowledged, LastConnectedTime: ptr.To(metav1.NewTime(noon)),
			Conditions: []metav1.Condition{
				{Type: v1alpha1.PeerAccepted, Status: metav1.ConditionTrue}, {Type: v1alpha1.PeerConnected, Status: metav1.ConditionTrue},
			},
		},
	}
}

func newRoot(t *testing.T) *certificate.Root {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestPeers(t *testing.T) {
	first, second := newRoot(t), newRoot(t)
	bundle := slices.Concat(first.CertPEM(), second.CertPEM())
	whole, err := certificate.FullFingerprints(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		acknowledged []string
		change       func(*v1alpha1.MeshPeer, *v1alpha1.Mesh)
		problem      string
		trusted      []string
		absent       bool
	}{
		"it acknowledges one root":       {acknowledged: whole[1:], trusted: second.Anchors()},
		"it acknowledges both":           {acknowledged: whole, trusted: append(first.Anchors(), second.Anchors()...)},
		"it does not report":             {},
		"the beginning of a fingerprint": {acknowledged: first.Anchors()},
		"the spec has changed": {
			acknowledged: whole[:1], change: func(p *v1alpha1.MeshPeer, _ *v1alpha1.Mesh) { p.Generation = 3 }, problem: "no status yet", trusted: first.Anchors(),
		},
		"it was never connected": {change: func(p *v1alpha1.MeshPeer, _ *v1alpha1.Mesh) { p.Status.LastConnectedTime = nil }, problem: "has never been connected"},
		"it is away": {
			change:  func(p *v1alpha1.MeshPeer, _ *v1alpha1.Mesh) { p.Status.Conditions[1].Status = metav1.ConditionFalse },
			problem: "has not been connected since about " + noon.UTC().Format(time.RFC3339),
		},
		"the status is that of a backup": {
			change: func(p *v1alpha1.MeshPeer, _ *v1alpha1.Mesh) {
				p.Status.LastConnectedTime.Time = noon.Add(-maxContactAge - time.Second)
			},
			problem: "has a status that is not kept up to date since about ",
		},
		"it is not accepted":    {change: func(p *v1alpha1.MeshPeer, _ *v1alpha1.Mesh) { p.Status.Conditions[0].Status = metav1.ConditionFalse }, absent: true},
		"it is of another mesh": {change: func(p *v1alpha1.MeshPeer, _ *v1alpha1.Mesh) { p.Spec.Mesh = "other" }, absent: true},
		"there is no gateway":   {change: func(_ *v1alpha1.MeshPeer, m *v1alpha1.Mesh) { m.Spec.PeerGateway.Mode = nil }, absent: true},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			peer, mesh := connectedPeer(test.acknowledged...), meshWithPeers()
			if test.change != nil {
				test.change(peer, mesh)
			}
			got, err := Peers(t.Context(), fake.NewClientBuilder().WithScheme(scheme).WithObjects(peer).Build(), mesh, bundle, noon)
			if err != nil || len(got) > 1 || test.absent == (len(got) == 1) {
				t.Fatalf("got %+v, error %v", got, err)
			}
			if test.absent {
				return
			}
			if problem := got[0].Problem; !strings.Contains(problem, test.problem) || (problem == "") != (test.problem == "") || !slices.Equal(got[0].Trusted, test.trusted) {
				t.Errorf("got %+v, want the problem %q and %v", got[0], test.problem, test.trusted)
			}
		})
	}
}
