package operator_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// signedBy checks that a root signed the certificate in a Secret.
func signedBy(secret *corev1.Secret, root *certificate.Root) error {
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		return fmt.Errorf("there is no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root.CertPEM())
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots})
	return err
}
