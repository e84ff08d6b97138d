package takeover

import (
	"context"
	"errors"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fieldManager owns what a takeover changes in objects of others.
const fieldManager = names.TakeoverManager

// pollInterval is how often the objects of an Open Service Mesh are read during a takeover. They are not watched.
const pollInterval = 5 * time.Second

// DataPlane observes the workloads with sidecars.
type DataPlane interface {
	// Workloads are all that carry sidecars of a mesh. Those of an Open Service Mesh have an empty revision.
	Workloads(ctx context.Context, mesh string) ([]rollout.Workload, error)
}

// Reconciler takes meshes over. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Recorder records Events about a Mesh.
	Recorder events.EventRecorder
	// Status writes the status of a Mesh.
	Status status.Writer
	// DataPlane observes the workloads with sidecars.
	DataPlane DataPlane
	// Conversions repairs what OSM leaves behind.
	Conversions *takeover.Conversions
}

// pass is the shared state of one reconciliation.
type pass struct {
	mesh     *v1alpha1.Mesh
	desired  desired.Mesh
	progress *takeover.Progress
	osm      takeover.Running
	// step is the step in effect after this reconciliation.
	step v1alpha1.AdoptionStep
	// waiting is what the declared step waits for, and blocked what somebody must change.
	waiting, blocked string
	// serving is what the Service of the Open Service Mesh waits for.
	serving string
	// serves is true while the Service of the Open Service Mesh leads to this mesh.
	serves bool
	// finished is true when nothing of the takeover is left.
	finished bool
	// earlier and own count the sidecars of the Open Service Mesh and of this mesh.
	earlier, own int
	// remaining are workloads with sidecars of the Open Service Mesh.
	remaining []rollout.Ref
}

// SetupWithManager watches Meshes, and what a takeover depends on in the namespace of the mesh.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	mapper := enqueue.Mapper{Cluster: r.Cluster}
	b := enqueue.NewController(mgr, "adoption", enqueue.MeshChanges(v1alpha1.ConditionInstalled, v1alpha1.ConditionControlPlaneReady)).
		Watches(&corev1.Namespace{}, mapper.ByNamespace()).
		Watches(&configv1alpha2.MeshConfig{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
			return r.meshesOf(ctx, object.GetNamespace())
		}), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	enqueue.Watch(b, enqueue.ByMeshLabel(), &v1alpha1.MeshRevision{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{})
	return enqueue.Complete(b, r.Client, r, r.Secrets.Sources(func(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
		return r.meshesOf(ctx, secret.Namespace)
	})...)
}

// meshesOf lists the Meshes that run in a namespace or take over from it.
func (r *Reconciler) meshesOf(ctx context.Context, namespace string) []reconcile.Request {
	return enqueue.Mapper{Cluster: r.Cluster}.Filter(ctx, func(mesh *v1alpha1.Mesh) bool {
		t := takeover.Of(mesh)
		return t != nil && (t.From == namespace || r.Desired(mesh).Namespace == namespace)
	})
}

// Reconcile takes one takeover one step further or back, and writes the condition Adopting.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	p := &pass{mesh: mesh, desired: r.Desired(mesh), progress: takeover.Of(mesh)}
	if p.progress == nil {
		return reconcile.Result{}, r.removeStatus(ctx, p)
	}
	p.step = p.progress.InEffect
	failed := r.observe(ctx, p)
	if mode := observe.ModeOf(mesh); failed == nil && mode != observe.Maintain {
		failed = r.proceed(ctx, p)
	}
	if p.finished && failed == nil {
		return reconcile.Result{}, r.removeStatus(ctx, p)
	}
	if err := errors.Join(failed, r.writeStatus(ctx, p, failed)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: pollInterval}, nil
}

// observe reads the Open Service Mesh, and counts the sidecars.
func (r *Reconciler) observe(ctx context.Context, p *pass) error {
	var err error
	if p.osm, err = takeover.ReadRunning(ctx, r.Live, p.progress.From); err != nil {
		return err
	}
	p.serves = takeover.IsRedirected(p.mesh)
	workloads, err := r.DataPlane.Workloads(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	for _, w := range workloads {
		for revision, n := range w.Sidecars {
			switch {
			case revision == "" && n > 0:
				p.earlier += n
				p.remaining = append(p.remaining, w.Ref)
			case desired.IsRevisionOf(p.mesh.Name, revision):
				p.own += n
			}
		}
	}
	return nil
}

// proceed takes the next step of a takeover.
func (r *Reconciler) proceed(ctx context.Context, p *pass) error {
	switch {
	case p.progress.IsWithdrawn && !p.progress.IsRemoval:
		return r.withdraw(ctx, p)
	case !p.osm.Exists && p.progress.InEffect != "":
		return r.complete(ctx, p)
	}
	if p.blocked = p.osm.Mismatch(p.desired); p.blocked != "" {
		return nil
	}
	if err := r.prepare(ctx, p); err != nil || p.isHeld() {
		return err
	}
	if p.step == "" {
		p.step = v1alpha1.AdoptionPrepared // the installation waits for it
	}
	// Who injects and who serves the sidecars of the Open Service Mesh are independent of each other.
	err := r.transfer(ctx, p)
	if err == nil && !p.isHeld() {
		r.advance(p)
	}
	return errors.Join(err, r.serve(ctx, p))
}

// isHeld reports whether the takeover waits for something.
func (p *pass) isHeld() bool { return p.waiting != "" || p.blocked != "" }

// advance puts the declared step into effect, after what it needs has been done. The last one needs that the Open Service Mesh is removed.
func (r *Reconciler) advance(p *pass) {
	next := p.progress.Declared
	if p.progress.IsRemoval {
		next = v1alpha1.AdoptionPrepared
	}
	if next == v1alpha1.AdoptionComplete {
		next = v1alpha1.AdoptionRestarting
	}
	if p.step != next {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "AdoptionStep", "Adopt "+string(next), "the takeover from the Open Service Mesh in namespace %s is in the step %s", p.progress.From, next)
	}
	p.step = next
}

// withdraw ends a takeover whose spec.adoption was removed. While the Open Service Mesh runs, everything stays as it is.
func (r *Reconciler) withdraw(ctx context.Context, p *pass) error {
	if p.osm.Exists {
		p.blocked = "spec.adoption was removed while the Open Service Mesh in namespace " + p.progress.From + " runs, so nothing is changed: declare it again, and set step to Complete before you remove it"
		return nil
	}
	p.progress.Declared = v1alpha1.AdoptionComplete
	if err := r.complete(ctx, p); err != nil || p.step != v1alpha1.AdoptionComplete {
		return err
	}
	p.finished = true
	return r.endSettings(ctx, p.mesh)
}
