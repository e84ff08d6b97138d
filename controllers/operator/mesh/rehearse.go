package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/rehearsal"
	"github.com/openservicemesh/osm-operator/controllers/operator/revision"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// Secrets reads the Secrets of control planes.
type Secrets interface {
	// Get reads a Secret, or returns nil when there is none.
	Get(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	// Sources are watches of all of them, as requests.
	Sources(requests func(context.Context, *corev1.Secret) []reconcile.Request) []source.Source
}

const (
	// maxRounds is how often a rehearsal looks again. A round is a step, a wave, or waiting.
	maxRounds = 1000
	// maxIdle is how many rounds may change nothing, the waiting between which doubles.
	maxIdle = 16
	// horizon is how far ahead a rehearsal looks for what time alone brings: certificates are renewed later.
	horizon = 12 * time.Hour
)

// rehearsed is what the operator would do about a mesh until nothing is left to do.
type rehearsed struct {
	changes   []rehearsal.Change
	unchanged int
	waves     [][]rollout.Ref
	// left are the workloads that would keep outdated sidecars.
	left []rollout.Note
	// version is the one that would run.
	version string
	// problem is the condition Ready in the end, when that is not True; its message is empty when it is.
	problem metav1.Condition
}

// reviser deploys, or looks at, what this reconciler's revisions consist of.
func (r *Reconciler) reviser() *revision.Reconciler {
	return &revision.Reconciler{
		Client: r.Client, Applier: r.Applier, Catalogue: r.Catalogue, OperatorNamespace: r.OperatorNamespace, Now: r.Now,
	}
}

// stage is a rehearsal in progress.
type stage struct {
	*Reconciler
	world *rehearsal.Client
	mesh  client.ObjectKey
	// last is the scope of the latest round.
	last *scope
}

// rehearse lets a twin of the reconciler act in memory until nothing is left to do. The twin's clients cannot write to the cluster.
func (r *Reconciler) rehearse(ctx context.Context, mesh *v1alpha1.Mesh) (*rehearsed, error) {
	cluster := rehearsal.New(r.Client.Scheme(), r.Client.RESTMapper(), r.Live, r.Now())
	world, plane := cluster.Over(r.Client), cluster.PlaneOver(r.DataPlane)
	twin := *r
	twin.Client, twin.Live, twin.Secrets = world, cluster.Over(r.Live), &heldSecrets{r.Secrets, world}
	twin.Applier, twin.Recorder = apply.New(world, rehearsal.Silence{}), rehearsal.Silence{}
	twin.DataPlane, twin.Vitals, twin.Prometheus, twin.Now = plane, rehearsal.Health{}, rehearsal.Health{}, cluster.Now
	// What is only rehearsed did not happen.
	twin.Metrics = nil
	freed := mesh.DeepCopy()
	freed.Spec.Mode, freed.Spec.Paused, freed.Status.Plan = nil, nil, nil
	if err := world.Update(ctx, freed); err != nil {
		return nil, err
	}
	stage := &stage{&twin, world, client.ObjectKeyFromObject(mesh), nil}
	problem, err := stage.play(ctx)
	if err != nil {
		return nil, err
	}
	wave := stage.last.plan.Wave
	return &rehearsed{
		changes: cluster.Changes(), unchanged: cluster.Unchanged(), waves: plane.Waves(), left: slices.Concat(wave.Manual, wave.Stuck),
		version: stage.last.wanted.Version, problem: problem,
	}, nil
}

// play repeats rounds until one changes nothing and the operator would not look again soon. It returns what Ready says in the end, when
// that is not True.
func (s *stage) play(ctx context.Context) (metav1.Condition, error) {
	idle, wait := 0, time.Second
	for range maxRounds {
		before := s.world.Writes()
		again, failed, err := s.round(ctx)
		if err != nil {
			return metav1.Condition{}, err
		}
		if s.world.Writes() != before {
			idle, wait = 0, time.Second
			s.world.Pass(wait)
			continue
		}
		ready, err := s.ready(ctx)
		if err != nil {
			return metav1.Condition{}, err
		}
		idle++
		stalled := ready.Status == metav1.ConditionFalse
		if failed != nil || stalled || again == 0 || again > horizon || idle >= maxIdle {
			return problemOf(ready, failed), nil
		}
		wait = min(2*wait, horizon)
		s.world.Pass(max(wait, again))
	}
	return metav1.Condition{Reason: v1alpha1.ReasonPlanFailed, Message: fmt.Sprintf("the plan goes on after %d steps, and ends here", maxRounds)}, nil
}

// problemOf is the condition Ready in the end of a rehearsal when it is not True, with what failed.
func problemOf(ready metav1.Condition, failed error) metav1.Condition {
	switch {
	case failed != nil && !strings.Contains(failed.Error(), ready.Message):
		ready.Message += ": " + failed.Error()
	case ready.Status == metav1.ConditionTrue:
		ready.Message = ""
	}
	return ready
}

// round is one step of the mesh, of its revisions, and of the rest of the cluster. failed is what the operator would try again.
func (s *stage) round(ctx context.Context) (again time.Duration, failed, err error) {
	mesh := &v1alpha1.Mesh{}
	if err := s.world.Get(ctx, s.mesh, mesh); err != nil {
		return 0, nil, err
	}
	s.last = s.newScope(mesh)
	result, failed := s.advance(ctx, s.last)
	revisions, err := s.revisions(ctx, s.last)
	if err != nil {
		return 0, nil, err
	}
	reviser := s.reviser()
	for i := range revisions {
		if _, wrong := reviser.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&revisions[i])}); wrong != nil {
			failed = errors.Join(failed, fmt.Errorf("MeshRevision %s: %w", revisions[i].Name, wrong))
		}
	}
	return result.RequeueAfter, failed, s.world.PlayDeployments(ctx, s.mesh.Name)
}

// ready is the condition Ready of the mesh.
func (s *stage) ready(ctx context.Context) (metav1.Condition, error) {
	mesh := &v1alpha1.Mesh{}
	if err := s.world.Get(ctx, s.mesh, mesh); err != nil {
		return metav1.Condition{}, err
	}
	if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return *c, nil
	}
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProgressing, Message: "nothing was done"}, nil
}

// heldSecrets are Secrets of a rehearsal.
type heldSecrets struct {
	Secrets
	world *rehearsal.Client
}

// Get reads a Secret that the rehearsal has written, or else the one that there is.
func (h *heldSecrets) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = namespace, name
	if !h.world.Changed(secret) {
		return h.Secrets.Get(ctx, namespace, name)
	}
	err := h.world.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return secret, err
}
