package loglevel

import (
	"context"
	"fmt"

	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// Reconciler sets the level after each change of a Mesh. All fields are required.
type Reconciler struct {
	Client client.Client
	// Flag is the level of the operator's flag.
	Flag string
	// Set changes the level.
	Set func(level string)
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var meshes v1alpha1.MeshList
	if err := r.Client.List(ctx, &meshes); err != nil {
		return reconcile.Result{}, fmt.Errorf("the Meshes cannot be listed: %w", err)
	}
	level := r.Flag
	for i := range meshes.Items {
		if c := meshes.Items[i].Spec.ControlPlane; c != nil && ptr.Deref(c.LogLevel, "") != "" {
			level = logging.MoreVerbose(level, *c.LogLevel)
		}
	}
	r.Set(level)
	return reconcile.Result{}, nil
}

// SetupWithManager adds the controller to mgr. A deleted Mesh no longer counts.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("loglevel").
		For(&v1alpha1.Mesh{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}
