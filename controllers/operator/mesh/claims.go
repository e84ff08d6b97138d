package mesh

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// checkClaims lets a mesh have its namespace for itself: the oldest of several Meshes that name it gets it, and none runs in a
// namespace that is part of another mesh, whose injector would change the pods of its control plane.
func (r *Reconciler) checkClaims(ctx context.Context, s *scope) error {
	if other, alike := desired.MeshOf(s.mesh.Name); alike && desired.IsRevisionOf(other, desired.RevisionName(s.mesh.Name, s.wanted.Version)) {
		return &stalled{v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"metadata.name %s is how a revision of the mesh %s is named, so that their sidecars could not be told apart: delete this Mesh, and create it again under another name", s.mesh.Name, other)}
	}
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
	return r.checkMembership(ctx, s)
}

// before says which of two Meshes came first.
func before(a, b *v1alpha1.Mesh) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// checkMembership refuses a namespace that is part of another mesh.
func (r *Reconciler) checkMembership(ctx context.Context, s *scope) error {
	home := &corev1.Namespace{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: s.wanted.Namespace}, home)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the namespace %s cannot be read: %w", s.wanted.Namespace, err)
	}
	owner := home.Labels[names.MonitoredByLabel]
	if _, ignored := home.Labels[names.IgnoreLabel]; owner == "" || owner == s.mesh.Name || ignored {
		return nil
	}
	return &stalled{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
		"the namespace %s, where this mesh is to run, is part of the mesh %s, which would add its sidecars to the control plane: take it out with `kubectl label namespace %s %s-`, or create this Mesh again with another spec.namespace",
		s.wanted.Namespace, owner, s.wanted.Namespace, names.MonitoredByLabel)}
}

// remark notes what works, but not as people might expect: sidecars that another mesh has made, and a root that another mesh has too.
func (r *Reconciler) remark(ctx context.Context, s *scope) error {
	s.notes = append(s.notes, strangers(s)...)
	var meshes v1alpha1.MeshList
	if err := r.Client.List(ctx, &meshes); err != nil {
		return fmt.Errorf("the other Meshes cannot be listed: %w", err)
	}
	var twins []string
	for i := range meshes.Items {
		other := r.newScope(&meshes.Items[i]).wanted
		if other.Name == s.mesh.Name || other.Namespace == s.wanted.Namespace {
			continue
		}
		secret, err := r.Secrets.Get(ctx, other.Namespace, names.CABundleSecret)
		if err != nil {
			return err
		}
		if secret != nil && bytes.Equal(bytes.TrimSpace(secret.Data[names.CABundleCert]), bytes.TrimSpace(s.root.CertPEM())) {
			twins = append(twins, other.Name)
		}
	}
	if len(twins) > 0 {
		slices.Sort(twins)
		s.notes = append(s.notes, fmt.Sprintf(
			"the certificate authority is that of the mesh %s too, so workloads of each can prove themselves to the other: where no access is meant, delete the Secret %s/%s of one of them, and restart its workloads",
			strings.Join(twins, " and "), s.wanted.Namespace, names.CABundleSecret))
	}
	return nil
}

// strangers says which sidecars in the namespaces of the mesh its own injector has not made.
func strangers(s *scope) []string {
	count := map[string]int{}
	for _, w := range s.situation.Workloads {
		for revision, n := range w.Sidecars {
			if !desired.IsRevisionOf(s.mesh.Name, revision) {
				other, _ := desired.MeshOf(revision)
				count[other] += n
			}
		}
	}
	var notes []string
	for _, other := range slices.Sorted(maps.Keys(count)) {
		switch n := count[other]; {
		case n == 0:
		case other == "":
			notes = append(notes, fmt.Sprintf("sidecars that an Open Service Mesh has made: %d; they go by what it told them last, until their workloads are restarted", n))
		default:
			notes = append(notes, fmt.Sprintf("sidecars that the mesh %s has made, of which the namespaces were a part: %d; they belong to neither mesh until their workloads are restarted", other, n))
		}
	}
	return notes
}
