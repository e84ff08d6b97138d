package teardown

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/meshconfig"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// DataPlane observes the workloads of a mesh that is being removed.
type DataPlane interface {
	takeover.TeardownWorkloads
	// SidecarPods are the workloads of all pods that need the control plane of a mesh, one element for each pod, sorted.
	SidecarPods(ctx context.Context, mesh string) ([]rollout.Ref, error)
	// LiveSidecarPods are the same, from the API server.
	LiveSidecarPods(ctx context.Context, mesh string) ([]rollout.Ref, error)
	// LiveOwnSidecarPods are those without sidecars of an Open Service Mesh.
	LiveOwnSidecarPods(ctx context.Context, mesh string) ([]rollout.Ref, error)
}

// Images ends what pulls images.
type Images interface {
	End(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error
}

// Health observes control planes.
type Health interface {
	Read(ctx context.Context, target health.Target) (health.Observation, error)
}

// Reconciler removes meshes. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Recorder records Events about a Mesh.
	Recorder events.EventRecorder
	// MeshConfigs keeps the MeshConfig, which carries the teardown mode to control planes.
	MeshConfigs *meshconfig.Reconciler
	// Status writes the status of a Mesh.
	Status status.Writer
	// DataPlane observes the workloads with sidecars.
	DataPlane DataPlane
	// Restarter restarts workloads.
	Restarter *restart.Restarter
	// Images ends what pulls images.
	Images Images
	// Health observes control planes.
	Health Health
	// Kinds lists the kinds of objects in namespaces.
	Kinds Kinds
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Recorder
}

// pass is the shared state of the steps of one reconciliation.
type pass struct {
	mesh    *v1alpha1.Mesh
	desired desired.Mesh
	// removal is how far the removal is.
	removal *v1alpha1.RemovalStatus
	// workloads are those with sidecars, and those that were restarted without.
	workloads []rollout.Workload
	// goesBack is true if the mesh goes back to a running Open Service Mesh.
	goesBack bool
	// held describes the objects that keep the present deletion from being complete.
	held []string
}

const (
	// pollWhileDeleting is how soon a removal goes on to its next step.
	pollWhileDeleting = 500 * time.Millisecond
	// pollWhileRestarting is how often the restarts of workloads are observed.
	pollWhileRestarting = 2 * time.Second
	// pollForSidecars is how often a removal counts the sidecars again.
	pollForSidecars = 5 * time.Second
)

// SetupWithManager watches Meshes. What a removal waits for is polled.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return enqueue.Complete(enqueue.NewController(mgr, "teardown", enqueue.MeshChanges()), r.Client, r)
}

// Reconcile takes one mesh one step further out of the cluster.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	if observe.ModeOf(mesh) != observe.Remove || !controllerutil.ContainsFinalizer(mesh, observe.Finalizer) {
		return reconcile.Result{}, nil
	}
	p := &pass{mesh: mesh, desired: r.Desired(mesh), removal: mesh.Status.Removal.DeepCopy()}
	assessment, err := r.removeNext(ctx, p)
	if err != nil {
		assessment = conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonDeleteFailed, Message: err.Error()}
	} else if assessment == nothingLeft {
		r.Restarter.Forget(mesh.UID)
		return reconcile.Result{}, r.releaseFinalizer(ctx, mesh)
	}
	if err := errors.Join(err, r.writeStatus(ctx, p, assessment)); err != nil {
		return reconcile.Result{}, err
	}
	switch assessment.Reason {
	case v1alpha1.ReasonDeleting:
		return reconcile.Result{RequeueAfter: pollWhileDeleting}, nil
	case v1alpha1.ReasonRemovingSidecars:
		return reconcile.Result{RequeueAfter: pollWhileRestarting}, nil
	}
	return reconcile.Result{RequeueAfter: pollForSidecars}, nil
}

// nothingLeft is the assessment when everything is removed.
var nothingLeft = conditions.Assessment{State: conditions.Ready}

// removeNext takes the first step that is not done yet, and returns what it waits for.
func (r *Reconciler) removeNext(ctx context.Context, p *pass) (conditions.Assessment, error) {
	if assessment, goingBack, err := r.goBack(ctx, p); err != nil || goingBack {
		return assessment, err
	}
	remaining, err := r.remainingSidecars(ctx, p)
	if err != nil {
		return conditions.Assessment{}, err
	}
	if err := r.deleteWebhooksWithoutServers(ctx, p); err != nil {
		return conditions.Assessment{}, err
	}
	switch {
	case len(remaining) > 0 && restartsSidecars(p.mesh) && !p.goesBack:
		return r.removeSidecars(ctx, p, remaining)
	case len(remaining) > 0:
		return r.setPhase(p, v1alpha1.RemovalWaiting, v1alpha1.ReasonWaitingForSidecars, len(remaining), remainingMessage(remaining)), nil
	}
	for _, step := range r.deletions() {
		p.held = nil
		left, err := step.run(ctx, p)
		if err != nil {
			return conditions.Assessment{}, err
		}
		if left > 0 {
			return r.setPhase(p, v1alpha1.RemovalDeleting, v1alpha1.ReasonDeleting, 0, describeDeletion(step.what, p.held)), nil
		}
	}
	return nothingLeft, nil
}

// setPhase notes how far the removal is.
func (r *Reconciler) setPhase(p *pass, phase v1alpha1.RemovalPhase, reason string, sidecars int, message string) conditions.Assessment {
	p.removal = &v1alpha1.RemovalStatus{
		Phase: phase, StartTime: metav1.NewTime(r.phaseStart(p, phase)), Sidecars: int32(sidecars), Message: message,
	}
	return conditions.Assessment{State: conditions.Progressing, Reason: reason, Message: message}
}

// phaseStart is when a phase of the removal began, which is now when the status is in another phase.
func (r *Reconciler) phaseStart(p *pass, phase v1alpha1.RemovalPhase) time.Time {
	if before := p.mesh.Status.Removal; before != nil && before.Phase == phase {
		return before.StartTime.Time
	}
	return r.Now().Truncate(time.Second)
}

// writeStatus writes how far the removal is.
func (r *Reconciler) writeStatus(ctx context.Context, p *pass, assessment conditions.Assessment) error {
	desired := p.mesh.Status.DeepCopy()
	desired.Removal = p.removal
	conditions.NewEditor(&desired.Conditions, p.mesh.Generation, r.Now()).Set(v1alpha1.ConditionRemoved, assessment)
	written, err := r.Status.Write(ctx, status.Teardown, p.mesh, desired)
	if err != nil || written == nil {
		return err
	}
	r.Metrics.RecordStatus(p.mesh, written, r.Now())
	status.RecordPhase(r.Recorder, p.mesh, written)
	return nil
}

// releaseFinalizer ends the removal.
func (r *Reconciler) releaseFinalizer(ctx context.Context, mesh *v1alpha1.Mesh) error {
	before := mesh.DeepCopy()
	controllerutil.RemoveFinalizer(mesh, observe.Finalizer)
	err := r.Client.Patch(ctx, mesh, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
	return client.IgnoreNotFound(err)
}
