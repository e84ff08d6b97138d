package mesh

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// maxPeers is how many peers the condition names.
const maxPeers = 8

// setPeersReady sets PeersReady from the status of the MeshPeers. A mesh without a peer gateway or MeshPeers, or one that is being removed, does not have it.
func (r *Reconciler) setPeersReady(ctx context.Context, p *pass, editor *conditions.Editor) error {
	const kind = v1alpha1.ConditionPeersReady
	if !(peergateway.Managed{}).Enabled(p.mesh) || observe.ModeOf(p.mesh) == observe.Remove {
		editor.SetOrRemove(false, kind, "", "")
		return nil
	}
	own, err := health.MeshPeers(ctx, r.Client, p.mesh.Name)
	if err != nil {
		return fmt.Errorf("the MeshPeers cannot be listed: %w", err)
	}
	if len(own) == 0 {
		editor.SetOrRemove(false, kind, "", "")
		return nil
	}
	editor.Set(kind, assessPeers(own))
	return nil
}

// assessPeers sums up the status of peers: the worst of them counts.
func assessPeers(peers []v1alpha1.MeshPeer) conditions.Assessment {
	slices.SortFunc(peers, func(a, b v1alpha1.MeshPeer) int { return cmp.Compare(a.Name, b.Name) })
	worst, problems := conditions.Ready, []string(nil)
	for i := range peers {
		state, problem := assessPeer(&peers[i])
		if rank(state) > rank(worst) {
			worst = state
		}
		if problem != "" {
			problems = append(problems, peers[i].Name+" "+problem)
		}
	}
	if worst == conditions.Ready {
		return conditions.Assessment{State: worst, Reason: v1alpha1.ReasonPeersReady, Message: fmt.Sprintf("%d of %d peers are ready", len(peers), len(peers))}
	}
	text := fmt.Sprintf("%d of %d peers are not ready: %s; see the conditions of each MeshPeer", len(problems), len(peers),
		strings.Join(message.First(problems, maxPeers), ", "))
	if worst == conditions.Failing {
		return conditions.Assessment{State: worst, Reason: v1alpha1.ReasonPeersNotReady, Message: text}
	}
	return observe.Waiting(text)
}

// assessPeer is the first condition of a peer that is not True, in the order in which they depend on each other. The problem is empty if all are.
func assessPeer(peer *v1alpha1.MeshPeer) (state conditions.State, problem string) {
	if peer.Status.ObservedGeneration != peer.Generation {
		return conditions.Progressing, "has no status yet"
	}
	for _, kind := range []string{v1alpha1.PeerAccepted, v1alpha1.PeerTrustReady, v1alpha1.PeerConnected, v1alpha1.PeerCompatible} {
		c := meta.FindStatusCondition(peer.Status.Conditions, kind)
		switch {
		case c == nil:
			return conditions.Progressing, "has no status yet"
		case c.Status == metav1.ConditionFalse:
			return conditions.Failing, fmt.Sprintf("(%s is False, %s)", kind, c.Reason)
		case c.Status == metav1.ConditionUnknown:
			return conditions.Progressing, fmt.Sprintf("(%s is Unknown, %s)", kind, c.Reason)
		}
	}
	return conditions.Ready, ""
}

// peerChanges passes changes of a MeshPeer that PeersReady depends on. Messages of conditions change often while a peer is away.
func peerChanges() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isPeer := e.ObjectOld.(*v1alpha1.MeshPeer)
		after, isPeerToo := e.ObjectNew.(*v1alpha1.MeshPeer)
		if !isPeer || !isPeerToo || before.Spec.Mesh != after.Spec.Mesh {
			return true
		}
		stateBefore, problemBefore := assessPeer(before)
		state, problem := assessPeer(after)
		return state != stateBefore || problem != problemBefore
	}}
}

// meshOfPeer is the mesh that a MeshPeer belongs to.
func meshOfPeer(object client.Object) string {
	peer, ok := object.(*v1alpha1.MeshPeer)
	if !ok {
		return ""
	}
	return peer.Spec.Mesh
}
