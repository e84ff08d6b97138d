package certmanager

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// probeName is the DNS name of the certificate with which a new authority is tried.
const probeName = "probe.openservicemesh.io"

// Authority reads the authority in a Secret that cert-manager wrote. It issues a certificate with it and verifies that as a peer does,
// so that no mesh moves to an authority whose certificates are rejected.
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
	return root, probe(root, now)
}

// probe verifies a certificate of an authority with nothing but its trust bundle.
func probe(root *certificate.Root, now time.Time) error {
	leaf, err := certificate.NewIssuer(root, certificate.KeySpec{}, func() time.Time { return now }).Server([]string{probeName}, time.Minute)
	if err != nil {
		return err
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(root.CertPEM())
	block, rest := pem.Decode(leaf.ChainPEM)
	intermediates.AppendCertsFromPEM(rest)
	issued, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if _, err := issued.Verify(x509.VerifyOptions{DNSName: probeName, Roots: roots, Intermediates: intermediates, CurrentTime: now}); err != nil {
		return fmt.Errorf("peers would reject its certificates: %w", err)
	}
	return nil
}
