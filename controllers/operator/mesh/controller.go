package mesh

import (
	"context"
	"errors"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/meshconfig"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// Reconciler accepts Meshes and sums up their status. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Applier writes what is rendered.
	Applier *apply.Applier
	// Recorder records Events about a Mesh.
	Recorder events.EventRecorder
	// MeshConfigs keeps the MeshConfigs of meshes.
	MeshConfigs *meshconfig.Reconciler
	// Status writes the status of a Mesh.
	Status status.Writer
	// Definitions are those of the Service Mesh Interface and of the Multi-Cluster Services API, see ReadDefinitions.
	Definitions []*unstructured.Unstructured
	// Conversions repairs what an earlier OSM has left behind.
	Conversions *takeover.Conversions
	// Kubernetes is the version of the API server.
	Kubernetes *Kubernetes
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Recorder
}

// pass is the shared state of the phases of one reconciliation. Each phase may read what earlier ones wrote.
type pass struct {
	enqueue.Schedule
	mesh    *v1alpha1.Mesh
	desired desired.Mesh
	// session applies objects, and notes which of them ignore drift.
	session *apply.Session
	// status is what the mesh controller will write.
	status *v1alpha1.MeshStatus
	// notes are sentences for the condition Installed.
	notes []string
	// configuration is the assessment of the MeshConfig; nil before it is read.
	configuration *conditions.Assessment
}

// SetupWithManager watches Meshes, with their status, and everything that the phases read.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	mapper := enqueue.Mapper{Cluster: r.Cluster}
	b := enqueue.NewController(mgr, "mesh").
		Watches(&corev1.Namespace{}, mapper.ByNamespace()).
		Watches(&configv1alpha2.MeshConfig{}, mapper.BySiblings()).
		Watches(&apiextensionsv1.CustomResourceDefinition{}, mapper.All()).
		Watches(&v1alpha1.MeshPeer{}, enqueue.ByName(meshOfPeer), builder.WithPredicates(peerChanges())).
		// A Mesh that is deleted may free a namespace that another one waits for.
		Watches(&v1alpha1.Mesh{}, mapper.All(), builder.WithPredicates(enqueue.OnlyDeletes()))
	enqueue.Watch(b, enqueue.ByMeshLabel(), &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{})
	return b.Complete(enqueue.RetryConflicts(r))
}

// Reconcile accepts one Mesh, prepares its namespace, and writes its own part of the status once.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	mesh := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, request.NamespacedName, mesh); err != nil {
		if apierrors.IsNotFound(err) {
			r.Metrics.DeleteMesh(request.Name)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	p := &pass{mesh: mesh, desired: r.Desired(mesh), session: r.Applier.For(mesh), status: mesh.Status.DeepCopy()}
	var failed error
	if observe.ModeOf(mesh) == observe.Apply {
		if added, err := r.ensureFinalizer(ctx, mesh); added || err != nil {
			// The change of the Mesh is the next event.
			return reconcile.Result{}, err
		}
		failed = r.prepare(ctx, p)
	}
	if err := r.writeStatus(ctx, p, failed); err != nil {
		return reconcile.Result{}, errors.Join(failed, err)
	}
	switch isStalled := observe.IsStalledError(failed); {
	case isStalled && p.Requeue == 0:
		// The next change of the Mesh, or of what it collides with, comes as an event.
		return reconcile.Result{}, reconcile.TerminalError(failed)
	case failed != nil && !isStalled && !isWaiting(failed):
		return reconcile.Result{}, failed
	}
	// What a waiting mesh waits for comes as an event.
	return reconcile.Result{RequeueAfter: p.Requeue}, nil
}

// waitingError ends the preparation until another controller has done something.
type waitingError struct{ message string }

// Error is what the preparation waits for.
func (w *waitingError) Error() string { return w.message }

func isWaiting(err error) bool {
	var w *waitingError
	return errors.As(err, &w)
}

// phase prepares one thing that a mesh needs before its control plane. An error ends the pass.
type phase func(context.Context, *pass) error

// prepare runs the phases up to the first failure. The definitions and the MeshConfig do not need each other.
func (r *Reconciler) prepare(ctx context.Context, p *pass) error {
	for _, run := range []phase{r.validate, r.reconcileNamespace, r.awaitTakeover, independently(r.reconcileDefinitions, r.reconcileMeshConfig)} {
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// independently runs phases of which none needs another. The error is stalled only if a retry helps none of them.
func independently(phases ...phase) phase {
	return func(ctx context.Context, p *pass) error {
		var failed, stalled []error
		for _, run := range phases {
			if err := run(ctx, p); observe.IsStalledError(err) {
				stalled = append(stalled, err)
			} else if err != nil {
				failed = append(failed, err)
			}
		}
		if len(failed) > 0 && len(stalled) > 0 {
			failed = append(failed, errors.New(errors.Join(stalled...).Error()))
			stalled = nil
		}
		return errors.Join(append(failed, stalled...)...)
	}
}

// reconcileMeshConfig keeps the MeshConfig, and assesses it, also after its fields or its backup were rejected.
func (r *Reconciler) reconcileMeshConfig(ctx context.Context, p *pass) error {
	live, failed := r.MeshConfigs.Reconcile(ctx, p.session, p.mesh)
	if live == nil {
		return failed
	}
	assessment, err := r.MeshConfigs.WriteAccepted(ctx, live)
	p.configuration = &assessment
	return errors.Join(failed, err)
}

// ensureFinalizer adds the finalizer before anything is made that must be removed. It returns whether it was missing.
func (r *Reconciler) ensureFinalizer(ctx context.Context, mesh *v1alpha1.Mesh) (bool, error) {
	after := mesh.DeepCopy()
	if !controllerutil.AddFinalizer(after, observe.Finalizer) {
		return false, nil
	}
	return true, r.Client.Patch(ctx, after, client.MergeFromWithOptions(mesh, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
}
