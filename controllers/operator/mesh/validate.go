package mesh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// oldestKubernetes is the first version that runs sidecars as init containers that stay.
const oldestKubernetes = "1.29.0"

// pollForeign is how often a mesh looks again whether an OSM that stands in its way is gone.
const pollForeign = 30 * time.Second

// validate finds what must be changed by somebody before the mesh can be installed.
func (r *Reconciler) validate(ctx context.Context, s *scope) error {
	if err := r.checkCluster(); err != nil {
		return err
	}
	release, err := r.Catalogue.Release(s.wanted.Version)
	var unknown *operand.UnknownVersionError
	if errors.As(err, &unknown) {
		return &stalled{v1alpha1.ReasonUnknownVersion, "spec.version: " + err.Error()}
	}
	if err != nil {
		return err
	}
	if missing := desired.Images(s.mesh, release.Images).Missing(); len(missing) > 0 {
		return &stalled{v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"the operator does not know the images of version %s (%s): set the RELATED_IMAGE variables in its Deployment, or spec.controlPlane.images",
			s.wanted.Version, strings.Join(missing, ", "))}
	}
	s.release = release
	if s.wanted.Namespace == r.OperatorNamespace {
		return &stalled{v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"spec.namespace %s is where the operator runs: give the mesh a namespace of its own, for example %s", s.wanted.Namespace, names.DefaultNamespace)}
	}
	if err := r.checkClaims(ctx, s); err != nil {
		return err
	}
	return r.checkForeign(ctx, s)
}

// checkCluster refuses clusters that are too old. A version that cannot be read is not held against the cluster.
func (r *Reconciler) checkCluster() error {
	cluster, err := version.ParseGeneric(r.Kubernetes)
	if err != nil || cluster.AtLeast(version.MustParseGeneric(oldestKubernetes)) {
		return nil
	}
	return &stalled{v1alpha1.ReasonUnsupportedKubernetes, fmt.Sprintf(
		"this cluster runs Kubernetes %s, and sidecars need at least %s, which can keep init containers running: upgrade the cluster", r.Kubernetes, oldestKubernetes)}
}

// checkClaims lets the oldest Mesh have a namespace that several name.
func (r *Reconciler) checkClaims(ctx context.Context, s *scope) error {
	var meshes v1alpha1.MeshList
	if err := r.Client.List(ctx, &meshes); err != nil {
		return fmt.Errorf("the other Meshes cannot be listed: %w", err)
	}
	for i := range meshes.Items {
		other := &meshes.Items[i]
		if other.Name == s.mesh.Name || r.newScope(other).wanted.Namespace != s.wanted.Namespace || !before(other, s.mesh) {
			continue
		}
		return &stalled{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
			"the namespace %s belongs to the Mesh %s, which is older: delete one of the two, or create this one again with another spec.namespace", s.wanted.Namespace, other.Name)}
	}
	return nil
}

// before says which of two Meshes came first.
func before(a, b *v1alpha1.Mesh) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// checkForeign refuses to take over an OSM that the operator did not install. The cache holds only objects of the operator's own
// meshes, so the API server is asked only for what the cache does not have: until the mesh is installed.
func (r *Reconciler) checkForeign(ctx context.Context, s *scope) error {
	for _, object := range []client.Object{
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.wanted.Namespace, Name: names.Controller}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(s.mesh.Name)}},
	} {
		key := client.ObjectKeyFromObject(object)
		err := r.Client.Get(ctx, key, object)
		if apierrors.IsNotFound(err) {
			err = r.Live.Get(ctx, key, object)
		}
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("it cannot be found out whether an OSM is installed already: %w", err)
		}
		if object.GetLabels()[names.MeshLabel] != s.mesh.Name {
			// What is not the operator's is not watched, so nothing tells when it goes.
			s.lookAgain(pollForeign)
			return &stalled{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
				"%s exists and was not made for this Mesh: remove that OSM first, or choose another name and spec.namespace", strings.TrimPrefix(key.String(), "/"))}
		}
	}
	return nil
}
