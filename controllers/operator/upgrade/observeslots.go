package upgrade

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// observeSlots adds which slots of pods serve, if that matters for what is next. The control plane that runs the mesh reports it. While it does not
// answer, no slot is known to serve, and nothing is done about pods with two slots.
func (r *Reconciler) observeSlots(ctx context.Context, p *pass) error {
	limits, active := p.situation.Limits, p.situation.Active
	if active == "" || !rollout.NeedsRoles(p.situation.Workloads, active, limits) && !rollout.NeedsRoles(p.situation.Workloads, p.situation.Desired, limits) {
		return nil
	}
	if active == p.situation.Desired && p.isUpgrading() {
		return nil // the gates read it
	}
	revision := &v1alpha1.MeshRevision{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: active}, revision)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the MeshRevision %s, which runs the mesh, cannot be read: %w", active, err)
	}
	reading, err := r.Health.Read(ctx, r.healthTarget(ctx, revision))
	if err != nil {
		return err
	}
	p.setRoles(reading)
	return nil
}

// setRoles adds which slots serve by a report.
func (p *pass) setRoles(reading health.Observation) {
	if reading.Proxies != nil {
		p.situation.Workloads = rollout.WithRoles(p.situation.Workloads, reading.Proxies.Roles)
	}
}
