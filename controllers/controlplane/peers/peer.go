package peers

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

const (
	// pollInterval is how often the state of the exchange with a peer is compared with its status.
	pollInterval = 5 * time.Second
	// textInterval is the minimum time between two writes that change only messages. Errors of connections may differ at each attempt.
	textInterval = time.Minute
)

// peerReconciler writes the status of the MeshPeers of a mesh. It must not run concurrently.
type peerReconciler struct {
	Writers
	// written is when the status of each MeshPeer was last written.
	written map[string]time.Time
}

// Reconcile writes the changed status of one MeshPeer.
func (r *peerReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Leading() {
		return ctrl.Result{}, nil
	}
	if !r.Ready() {
		return ctrl.Result{RequeueAfter: pollInterval}, nil
	}
	peer := &operatorv1alpha1.MeshPeer{}
	if err := r.Client.Get(ctx, request.NamespacedName, peer); err != nil {
		r.Mirror.Forget(refOf(request.Name))
		delete(r.written, request.Name)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if peer.Spec.Mesh != r.Mesh {
		return ctrl.Result{}, nil
	}
	observed, err := r.observe(ctx, peer)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: pollInterval}, r.write(ctx, peer, r.statusOf(peer, observed))
}

// refOf returns the reference of a MeshPeer.
func refOf(name string) entity.Ref { return entity.KindMeshPeer.Ref(entity.Name{Name: name}) }

// write writes a status that differs from that of the object.
func (r *peerReconciler) write(ctx context.Context, peer *operatorv1alpha1.MeshPeer, status operatorv1alpha1.MeshPeerStatus) error {
	if equality.Semantic.DeepEqual(peer.Status, status) {
		return nil
	}
	now := r.Now()
	if equality.Semantic.DeepEqual(withoutTexts(peer.Status), withoutTexts(status)) && now.Sub(r.written[peer.Name]) < textInterval {
		return nil // the next poll writes it
	}
	changed := peer.DeepCopy()
	changed.Status = status
	if err := r.Client.Status().Patch(ctx, changed, client.MergeFrom(peer)); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.written[peer.Name] = now
	return nil
}

// withoutTexts returns a status without the messages of its conditions.
func withoutTexts(status operatorv1alpha1.MeshPeerStatus) operatorv1alpha1.MeshPeerStatus {
	status.Conditions = slices.Clone(status.Conditions)
	for i := range status.Conditions {
		status.Conditions[i].Message = ""
	}
	return status
}

// statusOf returns the status of a MeshPeer.
func (r *peerReconciler) statusOf(peer *operatorv1alpha1.MeshPeer, o observation) operatorv1alpha1.MeshPeerStatus {
	status := *peer.Status.DeepCopy()
	status.ObservedGeneration = peer.Generation
	status.Imports = count(o.imports)
	if o.exported.IsRead || !o.isKnown {
		status.Exports = count(o.exported.Services)
	}
	status.RootFingerprints, status.AcknowledgedRoots, status.Versions = o.fingerprints(), o.state.Acknowledged, nil
	if o.state.Version != "" {
		status.Versions = []string{o.state.Version}
	}
	status.LastConnectedTime = lastConnected(status.LastConnectedTime, o)
	for _, c := range o.conditions(peer.Status.Conditions, status.LastConnectedTime) {
		c.ObservedGeneration, c.Message = peer.Generation, message.ForCondition(c.Message)
		if c.LastTransitionTime.IsZero() {
			c.LastTransitionTime = metav1.NewTime(o.now)
		}
		meta.SetStatusCondition(&status.Conditions, c)
	}
	if !o.state.Trusted.Differs {
		meta.RemoveStatusCondition(&status.Conditions, operatorv1alpha1.PeerTrustDiffersFromDeclaration)
	}
	return status
}

// count returns a number for a status. Limits keep it small.
func count(n int) int32 { return int32(n) }

// lastConnected returns when the peer was last known to be connected. While it is, the time changes seldom.
func lastConnected(before *metav1.Time, o observation) *metav1.Time {
	at := o.state.StaleSince
	if o.state.Connected {
		at = o.now
	}
	known := before != nil && at.Sub(before.Time) < operatorv1alpha1.PeerContactInterval
	if o.state.LastConnected.IsZero() || o.state.Connected && known || before != nil && !at.Truncate(time.Second).After(before.Time) {
		return before
	}
	return &metav1.Time{Time: at.Truncate(time.Second)}
}

// fingerprints returns those of the trusted roots, sorted.
func (o observation) fingerprints() []string {
	fingerprints, err := certificate.FullFingerprints(o.trusted)
	if err != nil {
		return nil
	}
	return lists.Unique(fingerprints)
}
