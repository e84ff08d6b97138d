package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// retryRejected is how soon a namespace that rejected its ConfigMap is tried again. Quotas and policies are not watched.
const retryRejected = 15 * time.Second

// Reconciler distributes the trust of meshes. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Applier writes what is rendered.
	Applier *apply.Applier
	// Recorder records Events about a Mesh and about namespaces.
	Recorder events.EventRecorder
	// Status writes the status of a Mesh.
	Status status.Writer
	// Parallel is how many namespaces are served at a time. A simulation serves one, so that its changes have an order.
	Parallel int
}

// rejection is what a namespace answered.
type rejection struct {
	namespace string
	err       error
}

// SetupWithManager watches Meshes, namespaces, the ConfigMaps with trust, and the certificate authorities.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	mapper := enqueue.Mapper{Cluster: r.Cluster}
	b := enqueue.NewController(mgr, "trust", enqueue.MeshChanges(v1alpha1.ConditionInstalled, v1alpha1.ConditionCertificatesReady)).
		Watches(&corev1.ConfigMap{}, enqueue.ByMeshLabel()).
		Watches(&corev1.Namespace{}, mapper.ByNamespace())
	return enqueue.Complete(b, r.Client, r, r.Secrets.Sources(mapper.BySecret)...)
}

// Reconcile distributes the trust of one mesh, and writes the condition TrustDistributed.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	if observe.ModeOf(mesh) == observe.Remove {
		// The teardown deletes what the trust controller made.
		return reconcile.Result{}, r.writeCondition(ctx, mesh, nil)
	}
	assessment, rejections, err := r.distribute(ctx, mesh)
	if err != nil {
		assessment = &conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: err.Error()}
	}
	if err := errors.Join(err, r.writeCondition(ctx, mesh, assessment)); err != nil {
		return reconcile.Result{}, err
	}
	if len(rejections) > 0 {
		return reconcile.Result{RequeueAfter: retryRejected}, nil
	}
	return reconcile.Result{}, nil
}

// distribute keeps the root certificate in the namespace of the mesh and in every namespace that is part of it, and nowhere else. A nil
// assessment means that the mesh has no trust to distribute.
func (r *Reconciler) distribute(ctx context.Context, mesh *v1alpha1.Mesh) (*conditions.Assessment, []rejection, error) {
	maintained, err := r.NeedsMaintenance(ctx, mesh)
	if err != nil {
		return nil, nil, err
	}
	meshNamespace := r.Desired(mesh).Namespace
	waiting := observe.Waiting(fmt.Sprintf("waiting for the certificate authority in Secret %s/%s", meshNamespace, names.CABundleSecret))
	if !maintained {
		if observe.ModeOf(mesh) != observe.Apply {
			return nil, nil, nil
		}
		return &waiting, nil, nil
	}
	root, err := r.Root(ctx, meshNamespace)
	if err != nil || root == nil {
		// The condition CertificatesReady says why. What is distributed already stays.
		return &waiting, nil, nil
	}
	desired, err := r.namespaces(ctx, mesh, meshNamespace)
	if err != nil {
		return nil, nil, err
	}
	session := r.Applier.For(mesh)
	rejections := forEach(ctx, r.Parallel, desired, func(ctx context.Context, namespace string) error {
		return r.distributeTo(ctx, session, mesh, root, namespace)
	})
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	pruned, err := r.prune(ctx, mesh, desired)
	if err != nil {
		return nil, nil, err
	}
	rejections = append(rejections, pruned...)
	assessment := assess(len(desired), rejections, session.IgnoredObjects())
	return &assessment, rejections, nil
}

// namespaces are those that get the trust of a mesh, sorted. Nothing can be created in a namespace that is being deleted.
func (r *Reconciler) namespaces(ctx context.Context, mesh *v1alpha1.Mesh, meshNamespace string) ([]string, error) {
	members, err := r.MemberNames(ctx, mesh.Name)
	return lists.Unique(append(members, meshNamespace)), err
}

// distributeTo keeps the trust of one namespace, and records an Event on the namespace when that namespace rejects it.
func (r *Reconciler) distributeTo(ctx context.Context, session *apply.Session, mesh *v1alpha1.Mesh, root *certificate.Root, namespace string) error {
	object := configMap(mesh.Name, namespace, root)
	_, err := session.Apply(ctx, object)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		r.Recorder.Eventf(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, mesh, corev1.EventTypeWarning,
			v1alpha1.ReasonNamespacesRejected, "DistributeTrust",
			"new pods of this namespace cannot join the mesh %s, because it rejects the ConfigMap %s: %v", mesh.Name, object.GetName(), err)
	}
	return err
}

// configMap is the trust of one namespace.
func configMap(mesh, namespace string, root *certificate.Root) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"data": map[string]any{names.CABundleCert: string(root.CertPEM())},
	}}
	object.SetNamespace(namespace)
	object.SetName(names.TrustConfigMap(mesh))
	object.SetLabels(operand.Labels(mesh, ""))
	return object
}

// prune deletes the trust of namespaces that left the mesh.
func (r *Reconciler) prune(ctx context.Context, mesh *v1alpha1.Mesh, desired []string) ([]rejection, error) {
	var list corev1.ConfigMapList
	if err := r.Client.List(ctx, &list, client.MatchingLabels{names.MeshLabel: mesh.Name}); err != nil {
		return nil, fmt.Errorf("the trust ConfigMaps cannot be listed: %w", err)
	}
	var rejections []rejection
	for i := range list.Items {
		object := &list.Items[i]
		if object.Name != names.TrustConfigMap(mesh.Name) || slices.Contains(desired, object.Namespace) || object.DeletionTimestamp != nil {
			continue
		}
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, object)); err != nil {
			rejections = append(rejections, rejection{object.Namespace, fmt.Errorf("the ConfigMap %s/%s, which is no longer needed, cannot be deleted: %w", object.Namespace, object.Name, err)})
			continue
		}
		r.Recorder.Eventf(mesh, nil, corev1.EventTypeNormal, "Deleted", "Leave "+object.Namespace, "deleted ConfigMap %s/%s: the namespace is no longer part of the mesh", object.Namespace, object.Name)
	}
	return rejections, nil
}

// assess reports which namespaces reject their ConfigMap, and what they answer.
func assess(namespaces int, rejections []rejection, ignored string) conditions.Assessment {
	if len(rejections) == 0 {
		message := fmt.Sprintf("the root certificate is in %d namespaces", namespaces)
		if namespaces == 1 {
			message = "the root certificate is in 1 namespace"
		}
		if ignored != "" {
			message += "; " + ignored
		}
		return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonTrustDistributed, Message: message}
	}
	const most = 5
	slices.SortStableFunc(rejections, func(a, b rejection) int { return strings.Compare(a.namespace, b.namespace) })
	answers := lists.Map(rejections, func(one rejection) string { return one.namespace + ": " + one.err.Error() })
	return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonNamespacesRejected, Message: fmt.Sprintf(
		"%d of %d namespaces reject the root certificate, and new pods of theirs cannot join the mesh: %s", len(rejections), namespaces, strings.Join(message.First(answers, most), "; "))}
}

// writeCondition writes TrustDistributed, or removes it.
func (r *Reconciler) writeCondition(ctx context.Context, mesh *v1alpha1.Mesh, assessment *conditions.Assessment) error {
	desired := mesh.Status.DeepCopy()
	editor := conditions.NewEditor(&desired.Conditions, mesh.Generation, r.Now())
	if assessment == nil {
		editor.SetOrRemove(false, v1alpha1.ConditionTrustDistributed, "", "")
	} else {
		editor.Set(v1alpha1.ConditionTrustDistributed, *assessment)
	}
	_, err := r.Status.Write(ctx, status.Trust, mesh, desired)
	return err
}

const (
	// Parallel is how many namespaces are served at a time. Together 150 namespaces whose admission webhooks hang fit into the time of a
	// reconciliation.
	Parallel = 16
	// answerTimeout limits one: an admission webhook that hangs delays its own namespace.
	answerTimeout = 10 * time.Second
)

// forEach calls a function for each namespace, a number of them at a time, and returns what failed, in the order of the namespaces.
func forEach(ctx context.Context, parallel int, namespaces []string, serve func(context.Context, string) error) []rejection {
	answers := make([]error, len(namespaces))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, namespace := range namespaces {
		group.Go(func() error {
			attempt, cancel := context.WithTimeout(ctx, answerTimeout)
			defer cancel()
			answers[i] = serve(attempt, namespace)
			return nil
		})
	}
	_ = group.Wait() // the answers are in their places
	var rejections []rejection
	for i, err := range answers {
		if err != nil {
			rejections = append(rejections, rejection{namespaces[i], err})
		}
	}
	return rejections
}
