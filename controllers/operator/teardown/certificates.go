package teardown

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deleteCertificates deletes the Certificates of certificate authorities. Otherwise cert-manager would issue their Secrets again. Those that
// cert-manager has never issued have no Secret.
func (r *Reconciler) deleteCertificates(ctx context.Context, s *scope) (int, error) {
	for _, name := range secrets.Issued() {
		certificate := certmanager.Reference(s.desired.Namespace, name)
		err := r.Live.Get(ctx, client.ObjectKeyFromObject(certificate), certificate)
		switch {
		case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
			continue
		case err != nil:
			return 0, fmt.Errorf("the Certificate %s/%s cannot be read: %w", s.desired.Namespace, name, err)
		case certificate.GetLabels()[names.MeshLabel] != s.mesh.Name:
			continue
		}
		if err := apply.Delete(ctx, r.Client, certificate); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// deleteGatewayCertificate deletes the Secret of the ingress gateway, whose name the MeshConfig declares. The removal goes on if the operator has
// no permission for it any more.
func (r *Reconciler) deleteGatewayCertificate(ctx context.Context, s *scope) (int, error) {
	if s.mesh.Status.Certificates == nil || s.mesh.Status.Certificates.IngressGateway == nil {
		return 0, nil
	}
	declared := s.mesh.Status.Certificates.IngressGateway
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: declared.Namespace, Name: declared.Name}, secret)
	if err == nil && secret.Labels[names.MeshLabel] != s.mesh.Name {
		return 0, nil
	}
	if err == nil {
		err = apply.Delete(ctx, r.Client, secret)
	}
	if apierrors.IsForbidden(err) {
		r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeWarning, "CertificateKept", "Remove", "kept Secret %s/%s: %v", declared.Namespace, declared.Name, err)
		return 0, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("the Secret %s/%s of the ingress gateway cannot be deleted: %w", declared.Namespace, declared.Name, err)
	}
	return 0, nil
}
