package mesh

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// authority makes the certificate authority once. A Secret that exists is used as it is, whoever made it.
func (r *Reconciler) authority(ctx context.Context, s *scope) error {
	secret, err := r.Secrets.Get(ctx, s.wanted.Namespace, names.CABundleSecret)
	if err != nil {
		return err
	}
	if secret == nil {
		return r.createAuthority(ctx, s)
	}
	root, err := certificate.ParseRoot(secret.Data[names.CABundleCert], secret.Data[names.CABundleKey], r.Now())
	if err != nil {
		return fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w. Correct it, or delete the Secret to have a new one made", secret.Namespace, secret.Name, err)
	}
	s.root = root
	return nil
}

// createAuthority makes a new root. Create never overwrites, so two operators cannot replace each other's root.
func (r *Reconciler) createAuthority(ctx context.Context, s *scope) error {
	root, err := certificate.NewRoot(rootKey(s.wanted.Key), r.Now())
	if err != nil {
		return err
	}
	key, err := root.KeyPEM()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.wanted.Namespace, Name: names.CABundleSecret, Labels: operand.Labels(s.mesh.Name, ""),
			OwnerReferences: []metav1.OwnerReference{ownedBy(s.mesh)},
		},
		Data: map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key},
	}
	if err := r.Client.Create(ctx, secret, client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the Secret %s/%s for the certificate authority cannot be created: %w", secret.Namespace, secret.Name, err)
	}
	if meta.IsStatusConditionTrue(s.mesh.Status.Conditions, v1alpha1.ConditionCertificatesReady) {
		r.say(s, corev1.EventTypeWarning, "AuthorityReplaced", "ReplaceAuthority", "the certificate authority in Secret %s/%s was gone, and a new one takes its place: "+
			"certificates are renewed under it, and calls may fail for about a minute until every replica of the control plane has it", secret.Namespace, secret.Name)
	}
	r.say(s, corev1.EventTypeNormal, "Created", "CreateAuthority", "created the certificate authority in Secret %s/%s", secret.Namespace, secret.Name)
	s.root = root
	return nil
}

// rootKey is the key of the root: as that of workloads, so that peers that need RSA can verify the whole chain.
func rootKey(key v1alpha1.KeySpec) certificate.KeySpec {
	return certificate.KeySpec{Algorithm: certificate.Algorithm(ptr.Deref(key.Algorithm, "")), Bits: int(ptr.Deref(key.Size, 0))}
}

// ownedBy makes a mesh the controller of an object.
func ownedBy(mesh *v1alpha1.Mesh) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh", Name: mesh.Name, UID: mesh.UID, Controller: ptr.To(true),
	}
}
