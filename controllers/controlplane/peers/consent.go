package peers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// consentStatus is the status of a ServiceExport, and that of a ServiceImport.
type consentStatus struct {
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	Clusters   []importedCluster  `json:"clusters,omitempty"`
}

// importedCluster is a peer from which a Service is imported.
type importedCluster struct {
	Cluster string `json:"cluster"`
}

// consent is a ServiceExport or a ServiceImport.
type consent struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   consentStatus     `json:"status"`
}

// evaluation returns the status of a consent that names a peer.
type evaluation func(v *catalog.View, name entity.Name, object *unstructured.Unstructured) consentStatus

// reconcileConsent writes the status of one ServiceExport or ServiceImport that names a peer, in a namespace of the mesh. Others belong to other controllers.
func (w Writers) reconcileConsent(
	ctx context.Context, request ctrl.Request, kind schema.GroupVersionKind, evaluate evaluation, replaced ...string,
) (ctrl.Result, error) {
	if !w.Leading() {
		return ctrl.Result{}, nil
	}
	if !w.Ready() {
		return ctrl.Result{RequeueAfter: pollInterval}, nil
	}
	object, name := kinds.Object(kind), entity.Name{Namespace: request.Namespace, Name: request.Name}
	ref := kinds.EntryKind(kind).Ref(name)
	if err := w.Client.Get(ctx, request.NamespacedName, object); err != nil {
		w.Mirror.Forget(ref)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if _, isOwn := object.GetLabels()[names.PeerLabel]; !isOwn {
		w.Mirror.Forget(ref)
		return ctrl.Result{}, w.releaseConsent(ctx, object)
	}
	isMember, status := false, consentStatus{}
	w.Mirror.Read(ref, func(v *catalog.View) {
		if isMember = v.IsMember(name.Namespace); isMember {
			status = evaluate(v, name, object)
		}
	})
	if !isMember {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, w.writeConsent(ctx, object, status, replaced)
}

// writeConsent writes a status that differs from that of the object. It removes conditions of the replaced types that the status does not have. Others
// belong to other controllers.
func (w Writers) writeConsent(ctx context.Context, object *unstructured.Unstructured, status consentStatus, replaced []string) error {
	before, err := gatewayapi.ReadStatus[consent](object)
	if err != nil {
		return err
	}
	after := consentStatus{Clusters: status.Clusters}
	for i := range status.Conditions {
		status.Conditions[i].Message = message.ForCondition(status.Conditions[i].Message)
		status.Conditions[i].LastTransitionTime = metav1.NewTime(w.Now())
	}
	after.Conditions = before.Status.Conditions
	gatewayapi.SetConditions(&after.Conditions, object.GetGeneration(), status.Conditions...)
	for _, kind := range replaced {
		if meta.FindStatusCondition(status.Conditions, kind) == nil {
			meta.RemoveStatusCondition(&after.Conditions, kind)
		}
	}
	return gatewayapi.Patch(ctx, w.Client, object.DeepCopy(), before.Status, after, client.FieldOwner(names.Controller))
}

// reject returns a condition that is False because of a problem.
func reject(kind, reason, format string, args ...any) metav1.Condition {
	return newCondition(kind, metav1.ConditionFalse, reason, format, args...)
}

// peersNamed returns the accepted peers that a consent names, sorted by name.
func (w Writers) peersNamed(v *catalog.View, peer string) []string {
	accepted := lists.Filter(v.Peers(), func(p *catalog.Peer) bool {
		return (peer == names.AnyPeer || peer == p.Name) && w.sharedWithMesh(p.TrustDomain) == ""
	})
	return lists.Map(accepted, func(p *catalog.Peer) string { return p.Name })
}

// unknownPeer describes a peer that is not accepted.
func unknownPeer(kind, peer string) metav1.Condition {
	if peer == names.AnyPeer {
		return reject(kind, ReasonUnknownPeer, "The mesh has no MeshPeer that is accepted.")
	}
	return reject(kind, ReasonUnknownPeer, "MeshPeer %s does not exist, or is not accepted: create it, correct the label %s, or see its status.", peer, names.PeerLabel)
}

// problemsOf returns the reason and the texts of what is wrong with the label or the annotations of a consent; empty if nothing is.
func problemsOf(problems []ingest.Problem) (reason, text string) {
	problems = slices.DeleteFunc(slices.Clone(problems), ingest.Problem.InForce)
	switch {
	case len(problems) == 0:
		return "", ""
	case problems[0].Reason == ingest.ReasonInvalidAnnotation:
		return ReasonInvalidAnnotation, messagesOf(problems)
	}
	return ReasonInvalidLabel, messagesOf(problems)
}

// messagesOf returns the texts of problems.
func messagesOf(problems []ingest.Problem) string {
	return strings.Join(lists.Map(problems, ingest.Problem.StatusMessage), " ")
}

// ports formats port numbers.
func ports(numbers []uint16) string {
	return strings.Join(message.First(lists.Map(numbers, func(n uint16) string { return fmt.Sprint(n) }), 8), ", ")
}
