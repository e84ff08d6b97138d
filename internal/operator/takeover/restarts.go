package takeover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// BackTarget stands in for a revision in restarts for sidecars of the Open Service Mesh. No revision has such a name.
const BackTarget = "open-service-mesh"

// holdsRestarts reports whether workloads keep their sidecars, whichever those are.
func holdsRestarts(mesh *v1alpha1.Mesh) bool {
	t := Of(mesh)
	return t != nil && !t.goesForward() && !t.goesBack()
}

// restartsBack reports whether workloads with sidecars of this mesh restart, so that the Open Service Mesh injects them again.
func restartsBack(mesh *v1alpha1.Mesh) bool {
	t := Of(mesh)
	return t != nil && t.goesBack()
}

// Target stands in for the revision that sidecars should be of while a Mesh goes back; empty while it does not.
func Target(mesh *v1alpha1.Mesh) string {
	if restartsBack(mesh) {
		return BackTarget
	}
	return ""
}

// GoBack plans restarts of workloads with sidecars of this mesh, whose new pods the Open Service Mesh injects again, for a Mesh that goes back.
func GoBack(mesh *v1alpha1.Mesh, situation *rollout.Situation, plan *rollout.Plan, now time.Time) {
	if !restartsBack(mesh) {
		return
	}
	situation.Workloads = NameSidecars(mesh, situation.Workloads)
	situation.Limits.Manual = desired.Limits(mesh).Manual
	plan.Wave = rollout.NextWave(situation.Workloads, BackTarget, situation.Limits, now)
}

// NameSidecars returns workloads whose sidecars of the Open Service Mesh are up to date if a Mesh goes back.
func NameSidecars(mesh *v1alpha1.Mesh, workloads []rollout.Workload) []rollout.Workload {
	if !restartsBack(mesh) {
		return workloads
	}
	return nameSidecars(workloads, "", BackTarget)
}

// nameSidecars returns workloads whose sidecars of one revision count under another name.
func nameSidecars(workloads []rollout.Workload, revision, name string) []rollout.Workload {
	renamed := slices.Clone(workloads)
	for i := range renamed {
		if n := renamed[i].Sidecars[revision]; n > 0 {
			renamed[i].Sidecars = maps.Clone(renamed[i].Sidecars)
			delete(renamed[i].Sidecars, revision)
			renamed[i].Sidecars[name] += n
		}
	}
	return renamed
}

// UnnameSidecars undoes NameSidecars in numbers of sidecars by revision.
func UnnameSidecars(byRevision map[string]int) {
	if n := byRevision[BackTarget]; n > 0 {
		byRevision[""] += n
		delete(byRevision, BackTarget)
	}
}

// DescribeSidecars describes a number of sidecars that an Open Service Mesh has made.
func DescribeSidecars(mesh *v1alpha1.Mesh, n int) string {
	if Of(mesh) != nil {
		return fmt.Sprintf("sidecars that an Open Service Mesh has made: %d; see the condition %s", n, v1alpha1.ConditionAdopting)
	}
	return fmt.Sprintf("sidecars that an Open Service Mesh has made: %d; they keep the configuration that they received last, until their workloads are restarted", n)
}

// Teardown gives the workloads of a mesh that is being removed back to the Open Service Mesh.
type Teardown struct {
	// Reader reads MeshConfigs.
	Reader    client.Reader
	DataPlane TeardownWorkloads
	Restarter *restart.Restarter
}

// TeardownWorkloads observes the workloads of a mesh that is being removed.
type TeardownWorkloads interface {
	Calls
	// WorkloadsForTeardown are all that carry sidecars of a mesh, and those that were restarted for a target and carry none any more.
	WorkloadsForTeardown(ctx context.Context, mesh, target string) ([]rollout.Workload, error)
}

// Returns reports whether a Mesh that is being removed goes back to an Open Service Mesh: without a running one there is nothing to go back to. waiting is
// what its workloads wait for: its webhooks and its Service go back first.
func Returns(ctx context.Context, live client.Reader, mesh *v1alpha1.Mesh) (returns bool, waiting string, err error) {
	t := Of(mesh)
	if t == nil {
		return false, "", nil
	}
	osm, err := ReadRunning(ctx, live, t.From)
	if err != nil || !osm.Exists {
		return false, "", err
	}
	if t.InEffect == "" || t.InEffect == v1alpha1.AdoptionPrepared {
		if !IsRedirected(mesh) {
			return true, "", nil
		}
	}
	waiting = fmt.Sprintf("going back to the Open Service Mesh in namespace %s", t.From)
	if adopting := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionAdopting); adopting != nil {
		waiting += ": " + adopting.Message
	}
	return true, waiting, nil
}

// Restart restarts the next workloads with sidecars of a mesh, whose new pods the Open Service Mesh injects. namespace is that of the mesh.
func (r Teardown) Restart(ctx context.Context, mesh *v1alpha1.Mesh, namespace string, now time.Time) (rollout.Wave, error) {
	workloads, err := r.DataPlane.WorkloadsForTeardown(ctx, mesh.Name, BackTarget)
	if err != nil {
		return rollout.Wave{}, err
	}
	limits := desired.Limits(mesh)
	limits.Manual, limits.Denied = false, r.Restarter.Denied(ctx, mesh)
	if limits.Order, err = (Ordering{Reader: r.Reader, Calls: r.DataPlane}).order(ctx, mesh, namespace, workloads); err != nil {
		return rollout.Wave{}, err
	}
	wave := rollout.NextWave(nameSidecars(workloads, "", BackTarget), BackTarget, limits, now)
	_, err = r.Restarter.Run(ctx, mesh, wave, "GoBack", func(ref rollout.Ref) string {
		return fmt.Sprintf("restarted %s for the sidecars of the Open Service Mesh", ref)
	})
	return wave, err
}
