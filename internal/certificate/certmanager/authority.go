package certmanager

import (
	"fmt"
	"time"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
)

// Authority reads the authority in a Secret that cert-manager wrote, and reports an error if peers would reject all its certificates. Limits of
// names are checked for each sidecar before the mesh moves.
func Authority(secret *corev1.Secret, now time.Time) (*certificate.Root, error) {
	root, err := decode(secret.Data, now)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w", secret.Namespace, secret.Name, err)
	}
	return root, nil
}

func decode(data map[string][]byte, now time.Time) (*certificate.Root, error) {
	if len(data[cmmeta.TLSCAKey]) == 0 {
		return nil, fmt.Errorf("it has no %s: use an issuer that publishes its root", cmmeta.TLSCAKey)
	}
	root, err := certificate.Decode(map[string][]byte{
		certificate.TrustKey: data[cmmeta.TLSCAKey], certificate.ChainKey: data[corev1.TLSCertKey], certificate.SignerKey: data[corev1.TLSPrivateKeyKey],
	})
	if err != nil {
		return nil, err
	}
	if err := root.Valid(now); err != nil {
		return nil, err
	}
	if err := preflight.Probe(root.Path(), now); err != nil {
		return root, fmt.Errorf("peers would reject its certificates: %w", err)
	}
	return root, nil
}
