package mesh

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// keepMarks puts the labels and the owner of a Secret with a good certificate back, by which it is found when the mesh goes.
func (r *Reconciler) keepMarks(ctx context.Context, s *scope, live *corev1.Secret) error {
	if marked(live, s.mesh) {
		return nil
	}
	leaf := certificate.Leaf{ChainPEM: live.Data[corev1.TLSCertKey], KeyPEM: live.Data[corev1.TLSPrivateKeyKey]}
	return r.writeServing(ctx, s, live.Name, leaf)
}

// marked says whether a Secret has the labels and the owner of what was made for a mesh.
func marked(secret *corev1.Secret, mesh *v1alpha1.Mesh) bool {
	for key, value := range operand.Labels(mesh.Name, "") {
		if secret.Labels[key] != value {
			return false
		}
	}
	return slices.ContainsFunc(secret.OwnerReferences, func(owner metav1.OwnerReference) bool {
		// Whether others wait for the Secret is theirs to say.
		owner.BlockOwnerDeletion = nil
		return equality.Semantic.DeepEqual(owner, ownedBy(mesh))
	})
}
