package certificates

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// secretRoot reads the root in a Secret that a MeshRootCertificate names, and creates it once, as OSM does. Only Secrets of the mesh can be
// named: whoever may write a MeshRootCertificate must not be able to use the Secrets of other namespaces.
func (r *Reconciler) secretRoot(ctx context.Context, s *scope, reference corev1.SecretReference) (*certificate.Root, error) {
	switch {
	case reference.Name == "":
		return nil, errors.New("spec.provider.tresor.ca.secretRef.name is empty: name the Secret of the root")
	case reference.Namespace != "" && reference.Namespace != s.desired.Namespace:
		return nil, fmt.Errorf("the Secret %s/%s is in another namespace: copy it to the namespace %s of the mesh", reference.Namespace, reference.Name, s.desired.Namespace)
	case reference.Name == names.CABundleSecret:
		return r.builtInRoot(ctx, s)
	}
	s.RequeueAfter(delegationInterval)
	secret, err := r.readSecret(ctx, client.ObjectKey{Namespace: s.desired.Namespace, Name: reference.Name})
	if apierrors.IsNotFound(err) {
		return r.createRoot(ctx, s, reference.Name)
	}
	if err != nil {
		return nil, err
	}
	root, err := certificate.Decode(secret.Data)
	if err == nil {
		err = root.Valid(r.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w", secret.Namespace, secret.Name, err)
	}
	return root, nil
}

// readSecret reads a Secret that a user names. It is not watched: the operator has no permission to read all Secrets.
func (r *Reconciler) readSecret(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, key, secret)
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("the operator has no permission for the Secret %s: grant its ServiceAccount get of this Secret in a Role", key)
	}
	if err != nil {
		return nil, fmt.Errorf("the Secret %s cannot be read: %w", key, err)
	}
	return secret, nil
}
