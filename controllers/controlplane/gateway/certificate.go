package gateway

import (
	"context"
	"crypto/tls"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// readCertificate reads the Secret of a certificate. An unusable Secret is an entry with a problem. An error means that the answer is not
// known.
func (r *Reconciler) readCertificate(ctx context.Context, name catalog.Name) (*catalog.GatewayCertificate, error) {
	data, problem, err := secrets.Read(ctx, r.Secrets, name, r.Namespace)
	if err != nil {
		return nil, err
	}
	entry := &catalog.GatewayCertificate{Name: name, Problem: problem}
	if problem != "" {
		return entry, nil
	}
	chain, key := data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]
	if len(chain) == 0 || len(key) == 0 {
		entry.Problem = fmt.Sprintf("The Secret %s lacks %s or %s: create it with type %s.", name, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, corev1.SecretTypeTLS)
		return entry, nil
	}
	// The error names no part of the key.
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		entry.Problem = fmt.Sprintf("The Secret %s has no usable certificate: %v.", name, err)
		return entry, nil
	}
	entry.ChainPEM, entry.KeyPEM = chain, key
	return entry, nil
}

// updateCertificates sends the certificates to the control plane, and returns them. It removes those that no Gateway uses any more. A
// Secret that cannot be read now keeps its last content.
func (r *Reconciler) updateCertificates(ctx context.Context, names []catalog.Name) ([]catalog.Change, error) {
	current, removed, failed := r.certificates.Update(names, func(name catalog.Name) (catalog.Entry, error) {
		// A typed nil would be an entry.
		entry, err := r.readCertificate(ctx, name)
		if err != nil {
			return nil, err
		}
		return entry, nil
	})
	r.Sink.Apply(append(removed, current...))
	return current, failed
}
