package takeover

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

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
