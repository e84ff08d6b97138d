package revision

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
)

// deploy renders and applies the objects of a revision, and deletes a canary that its role does not include.
func (r *Reconciler) deploy(ctx context.Context, session *apply.Session, revision *v1alpha1.MeshRevision) error {
	objects, err := r.render(revision)
	if err != nil {
		return err
	}
	if err := r.setInitialReplicas(ctx, revision, objects); err != nil {
		return err
	}
	if err := applyAll(ctx, session, objects); err != nil {
		return err
	}
	return r.deleteCanary(ctx, revision)
}

// render renders the objects of every control plane that a revision runs.
func (r *Reconciler) render(revision *v1alpha1.MeshRevision) ([]*unstructured.Unstructured, error) {
	release, err := r.Catalogue.Release(revision.Spec.Version)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, suffix := range suffixes(revision) {
		p := desired.Parameters(revision, r.OperatorNamespace)
		p.CanarySuffix = suffix
		rendered, err := release.ControlPlane(p)
		if err != nil {
			return nil, err
		}
		objects = append(objects, rendered...)
	}
	return objects, nil
}
