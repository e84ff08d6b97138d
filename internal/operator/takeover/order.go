package takeover

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Calls reads which service accounts may call which others.
type Calls interface {
	Calls(ctx context.Context) ([]rollout.Call, error)
}

// Ordering reads what the order of restarts depends on.
type Ordering struct {
	// Reader reads MeshConfigs.
	Reader client.Reader
	Calls  Calls
}

// Limit adds to the limits of an upgrade the order of restarts, and that none is begun for it while the takeover holds sidecars or goes back.
func (r Ordering) Limit(ctx context.Context, mesh *v1alpha1.Mesh, namespace string, workloads []rollout.Workload, limits *rollout.Limits) error {
	if !limits.Manual {
		order, err := r.order(ctx, mesh, namespace, workloads)
		if err != nil {
			return err
		}
		limits.Order = order
	}
	limits.Manual = limits.Manual || holdsRestarts(mesh) || restartsBack(mesh)
	return nil
}

// order returns the order in which the workloads of a Mesh restart that have sidecars of the Open Service Mesh, or go back to them; nil for none.
// namespace is that of the Mesh. A sidecar of the Open Service Mesh loses requests while a workload that it calls restarts. So callers have sidecars
// of this mesh first, and keep them until what they call has gone back. In permissive mode nothing declares who calls whom.
func (r Ordering) order(ctx context.Context, mesh *v1alpha1.Mesh, namespace string, workloads []rollout.Workload) (*rollout.Order, error) {
	t := Of(mesh)
	isBack := t != nil && t.goesBack()
	if t != nil && !t.goesForward() && !isBack {
		return nil, nil
	}
	replaced := replacedWorkloads(workloads, isBack)
	if len(replaced) < 2 {
		return nil, nil
	}
	if isPermissive, err := r.isPermissive(ctx, namespace); isPermissive || err != nil {
		return nil, err
	}
	calls, err := r.Calls.Calls(ctx)
	switch {
	case err != nil:
		// Workloads must restart though nobody may read, or has, the definition of TrafficTargets.
		return rollout.UnknownOrder(err), nil
	case isBack:
		return calleesFirst(replaced, calls), nil
	}
	return callersFirst(replaced, calls), nil
}

// callersFirst lets each of the workloads restart after those that may call it.
func callersFirst(workloads []rollout.Workload, calls []rollout.Call) *rollout.Order {
	return rollout.NewOrder(workloads, calls, "waits for its callers %s: their sidecars of the Open Service Mesh lose requests while it restarts")
}

// calleesFirst lets each of the workloads restart after those that it may call.
func calleesFirst(workloads []rollout.Workload, calls []rollout.Call) *rollout.Order {
	reversed := lists.Map(calls, func(c rollout.Call) rollout.Call { return rollout.Call{Source: c.Destination, Destination: c.Source} })
	return rollout.NewOrder(workloads, reversed, "waits for what it calls, %s: its next sidecar, of the Open Service Mesh, loses requests while that restarts")
}

// isPermissive reports whether all workloads may call each other. Without its settings this is not known, and counts as permissive.
func (r Ordering) isPermissive(ctx context.Context, namespace string) (bool, error) {
	settings := &configv1alpha2.MeshConfig{}
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.MeshConfig}, settings)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the MeshConfig cannot be read: %w", err)
	}
	return err != nil || settings.Spec.Traffic.EnablePermissiveTrafficPolicyMode, nil
}

// replacedWorkloads returns the workloads whose sidecars are replaced: those of the Open Service Mesh, or all others while a Mesh goes back.
func replacedWorkloads(workloads []rollout.Workload, isBack bool) []rollout.Workload {
	var found []rollout.Workload
	for _, w := range workloads {
		earlier, all := w.Sidecars[""]+w.Sidecars[BackTarget], 0
		for _, n := range w.Sidecars {
			all += n
		}
		if isBack && all > earlier || !isBack && earlier > 0 {
			found = append(found, w)
		}
	}
	return found
}
