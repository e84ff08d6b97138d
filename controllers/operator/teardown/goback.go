package teardown

import (
	"context"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// goBack gives a mesh that is being taken over back to the Open Service Mesh before anything is deleted. It reports whether that is still going on.
func (r *Reconciler) goBack(ctx context.Context, p *pass) (conditions.Assessment, bool, error) {
	returns, waiting, err := takeover.Returns(ctx, r.Live, p.mesh)
	p.goesBack = returns
	switch {
	case err != nil || !returns || p.removal != nil && p.removal.Phase == v1alpha1.RemovalDeleting:
		return conditions.Assessment{}, false, err
	case waiting != "":
		return r.setPhase(p, v1alpha1.RemovalWaiting, v1alpha1.ReasonWaitingForSidecars, 0, waiting), true, nil
	case !restartsSidecars(p.mesh):
		return conditions.Assessment{}, false, nil
	}
	remaining, err := r.remainingSidecars(ctx, p)
	if err != nil || len(remaining) == 0 {
		return conditions.Assessment{}, false, err
	}
	wave, err := takeover.Teardown{Reader: r.Client, DataPlane: r.DataPlane, Restarter: r.Restarter}.Restart(ctx, p.mesh, p.desired.Namespace, r.Now())
	if err != nil {
		return conditions.Assessment{}, false, err
	}
	return r.setRestarting(p, wave, remaining), true, nil
}
