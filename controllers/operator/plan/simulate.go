package plan

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
)

// Simulation is what the controllers of a simulation act on. Nothing in it writes to the cluster.
type Simulation struct {
	// Mesh is the name of the mesh.
	Mesh string
	// Client is the client of the simulated cluster.
	Client *dryrun.Client
	// Cluster reads the simulated cluster.
	Cluster *observe.Cluster
	// DataPlane is the simulated data plane.
	DataPlane *dryrun.DataPlane
	// Health observes control planes that are well.
	Health dryrun.Health
	// Vault signs nothing.
	Vault dryrun.Vault
	// Recorder records no Events.
	Recorder dryrun.DiscardEvents
	// Status writes the status of the simulated Mesh.
	Status status.Writer
}

// simulated is what the operator would do about a mesh until nothing is left to do.
type simulated struct {
	changes   []dryrun.Change
	unchanged int
	waves     [][]rollout.Ref
	// inPlace is the number of workloads whose sidecars would be upgraded in place.
	inPlace int
	// skipped are the workloads that would keep outdated sidecars, atOnce those whose pods would end all at once.
	skipped []rollout.Note
	atOnce  map[rollout.Ref]bool
	// version is the one that would run.
	version string
	// missing are the components that wait for kinds, with the reason. The plan has no objects of them.
	missing []string
	// problem is the condition Ready in the end, when that is not True; its message is empty when it is.
	problem metav1.Condition
}

// newSimulation returns the simulation of a mesh in a simulated cluster.
func (r *Reconciler) newSimulation(cluster *dryrun.Cluster, mesh string) Simulation {
	c := cluster.Client(r.Client)
	observed := *r.Cluster
	observed.Client, observed.Live = c, cluster.Client(r.Live)
	observed.Secrets, observed.Now = &simulatedSecrets{r.Secrets, c}, cluster.Now
	return Simulation{Mesh: mesh, Client: c, Cluster: &observed, DataPlane: cluster.DataPlane(r.DataPlane), Status: status.Writer{Client: c}}
}

// simulate runs the controllers in memory until nothing is left to do.
func (r *Reconciler) simulate(ctx context.Context, mesh *v1alpha1.Mesh) (*simulated, error) {
	cluster := dryrun.New(r.Client.Scheme(), r.Client.RESTMapper(), r.Live, r.Now())
	s := r.newSimulation(cluster, mesh.Name)
	applied := mesh.DeepCopy()
	applied.Spec.Mode, applied.Spec.Paused, applied.Status.Plan = nil, nil, nil
	if err := s.Client.Update(ctx, applied); err != nil {
		return nil, err
	}
	ready := metav1.Condition{}
	var components componentProblems
	finish := func(ctx context.Context) error { return s.Client.SimulateDeployments(ctx, mesh.Name) }
	stop := func(ctx context.Context) (stop bool, err error) {
		ready, components, err = stateOf(ctx, s.Client, mesh.Name)
		return ready.Status == metav1.ConditionFalse, err
	}
	failed, err := cluster.Run(ctx, finish, stop, r.Controllers(s)...)
	problem := problemOf(ready, components.failed, failed)
	if errors.Is(err, dryrun.ErrTooManyRounds) {
		problem = metav1.Condition{Reason: v1alpha1.ReasonPlanFailed, Message: "the plan is not complete: " + err.Error()}
	} else if err != nil {
		return nil, err
	}
	workloads, err := s.DataPlane.Workloads(ctx, mesh.Name)
	if err != nil {
		return nil, err
	}
	skipped, err := skippedWorkloads(ctx, s.Cluster, mesh, workloads)
	if err != nil {
		return nil, err
	}
	return &simulated{
		changes: cluster.Changes(), unchanged: cluster.Unchanged(), waves: s.DataPlane.Waves(), inPlace: s.DataPlane.InPlace(),
		skipped: skipped, atOnce: replacedAtOnce(workloads),
		version: r.Desired(mesh).Version, missing: components.missing, problem: problem,
	}, nil
}

// problemOf is the condition Ready at the end of a simulation when it is not True, or the components that the plan has no objects of, with what
// failed.
func problemOf(ready metav1.Condition, failing []string, failed error) metav1.Condition {
	switch {
	case failed != nil && !strings.Contains(failed.Error(), ready.Message):
		ready.Message += ": " + failed.Error()
	case ready.Status == metav1.ConditionTrue && len(failing) > 0:
		ready = metav1.Condition{Reason: v1alpha1.ReasonComponentFailed, Message: strings.Join(failing, "; ")}
	case ready.Status == metav1.ConditionTrue:
		ready.Message = ""
	}
	return ready
}

// componentProblems are the components that cannot be applied, and those that wait for kinds, each with its reason.
type componentProblems struct{ failed, missing []string }

// stateOf is the condition Ready of a simulated mesh, and its components without objects.
func stateOf(ctx context.Context, simulated client.Reader, name string) (ready metav1.Condition, components componentProblems, err error) {
	mesh := &v1alpha1.Mesh{}
	if err := simulated.Get(ctx, client.ObjectKey{Name: name}, mesh); err != nil {
		return metav1.Condition{}, components, err
	}
	for _, c := range mesh.Status.Components {
		switch problem := "component " + c.Name + ": " + c.Message; c.Reason {
		case v1alpha1.ReasonApplyFailed:
			components.failed = append(components.failed, problem)
		case v1alpha1.ReasonKindNotServed:
			components.missing = append(components.missing, problem+", so the plan has none of its objects")
		}
	}
	if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return *c, components, nil
	}
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProgressing, Message: "nothing was done"}, components, nil
}

// skippedWorkloads are those that keep outdated sidecars at the end of a simulation.
func skippedWorkloads(ctx context.Context, c *observe.Cluster, mesh *v1alpha1.Mesh, workloads []rollout.Workload) ([]rollout.Note, error) {
	revisions, err := c.Revisions(ctx, mesh.Name)
	if err != nil {
		return nil, err
	}
	active := observe.ActiveRevision(revisions)
	if active == nil {
		return nil, nil
	}
	limits := desired.Limits(mesh)
	if limits.Slots, err = c.SlotTargets(ctx, mesh, revisions); err != nil {
		return nil, err
	}
	wave := rollout.NextWave(rollout.DeclareImages(workloads, limits.Slots), active.Name, limits, c.Now())
	return slices.Concat(wave.Manual, wave.Blocked), nil
}

// replacedAtOnce are the workloads whose restart ends all pods before new ones start.
func replacedAtOnce(workloads []rollout.Workload) map[rollout.Ref]bool {
	atOnce := map[rollout.Ref]bool{}
	for i := range workloads {
		if workloads[i].AtOnce {
			atOnce[workloads[i].Ref] = true
		}
	}
	return atOnce
}

// simulatedSecrets are the Secrets of a simulation.
type simulatedSecrets struct {
	observe.Secrets
	simulated *dryrun.Client
}

// Get reads a Secret that the simulation has written, or else the live one.
func (s *simulatedSecrets) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = namespace, name
	if !s.simulated.IsChanged(secret) {
		return s.Secrets.Get(ctx, namespace, name)
	}
	err := s.simulated.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return secret, err
}
