package gateway

import (
	"context"
	"crypto/tls"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// readCertificate reads the Secret of a certificate. An unusable Secret is an entry with a problem. An error means that the answer is not
// known.
func (r *Reconciler) readCertificate(ctx context.Context, name catalog.Name) (*catalog.GatewayCertificate, error) {
	entry := &catalog.GatewayCertificate{Name: name}
	secret := &corev1.Secret{}
	err := r.Secrets.Get(ctx, client.ObjectKey(name), secret)
	switch {
	case apierrors.IsNotFound(err):
		entry.Problem = fmt.Sprintf("The Secret %s does not exist.", name)
		return entry, nil
	case apierrors.IsForbidden(err):
		entry.Problem = fmt.Sprintf("The control plane may not get Secrets of the namespace %s: run kubectl create rolebinding %s -n %s --clusterrole %s --serviceaccount %s:%s.",
			name.Namespace, names.GatewayCertificateReader, name.Namespace, names.GatewayCertificateReader, r.Namespace, names.Controller)
		return entry, nil
	case err != nil:
		return nil, fmt.Errorf("the Secret %s cannot be read: %w", name, err)
	}
	chain, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
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
func (r *Reconciler) updateCertificates(ctx context.Context, secrets []catalog.Name) ([]catalog.Change, error) {
	current := map[catalog.Name]catalog.Change{}
	var changes []catalog.Change
	var failed error
	for _, name := range secrets {
		entry, err := r.readCertificate(ctx, name)
		if err != nil {
			failed = err
			if known, ok := r.certificates[name]; ok {
				current[name] = known
			}
			continue
		}
		current[name] = catalog.Set(entry)
	}
	for name, change := range r.certificates {
		if _, used := current[name]; !used {
			changes = append(changes, catalog.Change{Ref: change.Ref})
		}
	}
	r.certificates = current
	var all []catalog.Change
	for _, name := range secrets {
		if change, ok := current[name]; ok {
			all = append(all, change)
		}
	}
	r.Sink.Apply(append(changes, all...))
	return all, failed
}
