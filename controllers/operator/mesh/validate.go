package mesh

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// validate finds what must be changed by somebody before the mesh can be installed.
func (r *Reconciler) validate(ctx context.Context, s *scope) error {
	if err := r.checkCluster(s); err != nil {
		return err
	}
	release, err := r.Catalogue.Release(s.desired.Version)
	var unknown *operand.UnknownVersionError
	if errors.As(err, &unknown) {
		return &observe.StalledError{Reason: v1alpha1.ReasonUnknownVersion, Message: "spec.version: " + err.Error()}
	}
	if err != nil {
		return err
	}
	if missing := desired.Images(s.mesh, release.Images).Missing(); len(missing) > 0 {
		return &observe.StalledError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(
			"the operator does not know the images of version %s (%s): set the RELATED_IMAGE variables in its Deployment, or spec.controlPlane.images",
			s.desired.Version, strings.Join(missing, ", "))}
	}
	if s.desired.Namespace == r.OperatorNamespace {
		return &observe.StalledError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(
			"spec.namespace %s is where the operator runs: give the mesh a namespace of its own, for example %s", s.desired.Namespace, names.DefaultNamespace)}
	}
	claimed, err := r.Claimed(ctx, s.mesh)
	if err != nil {
		return err
	}
	if claimed != nil {
		return claimed
	}
	return r.checkForeign(ctx, s)
}

// checkCluster rejects clusters that are too old. Nothing reports their upgrade, so they are observed again.
func (r *Reconciler) checkCluster(s *scope) error {
	outdated, err := r.Kubernetes.Outdated()
	if err != nil || outdated == "" {
		return err
	}
	s.observeAgain(pollKubernetes)
	return &observe.StalledError{Reason: v1alpha1.ReasonUnsupportedKubernetes, Message: fmt.Sprintf(
		"this cluster runs Kubernetes %s, and version %s or later is required: upgrade the cluster", outdated, names.OldestKubernetes)}
}
