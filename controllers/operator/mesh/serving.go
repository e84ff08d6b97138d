package mesh

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

const (
	// servingLifetime is how long the certificate of a webhook is valid.
	servingLifetime = 90 * 24 * time.Hour
	// renewBefore is how long before its end it is replaced: time enough to find out why that fails.
	renewBefore = servingLifetime / 3
)

// servingCertificates keeps the certificates of the webhooks. Both are signed by the root of the mesh, so as long as the root stays,
// a new certificate needs no new trust.
func (r *Reconciler) servingCertificates(ctx context.Context, s *scope) error {
	if err := r.recallCanary(ctx, s); err != nil {
		return err
	}
	for _, served := range []struct{ secret, service string }{
		{secrets.InjectorCert, names.Injector}, {secrets.ValidatorCert, names.Validator},
	} {
		if err := r.servingCertificate(ctx, s, served.secret, served.service+"."+s.wanted.Namespace+".svc"); err != nil {
			return err
		}
	}
	return nil
}

// servingCertificate keeps one certificate.
func (r *Reconciler) servingCertificate(ctx context.Context, s *scope, name, host string) error {
	live, err := r.Secrets.Get(ctx, s.wanted.Namespace, name)
	if err != nil {
		return err
	}
	if live != nil {
		end, problem := verifyServing(live, s.root, host, r.Now())
		if problem == nil {
			s.bundles[name] = live.Data[names.CABundleCert]
			s.lookAgain(end.Add(-renewBefore).Sub(r.Now()))
			return r.keepMarks(ctx, s, live)
		}
		r.say(s, corev1.EventTypeNormal, "CertificateRenewed", "Renew "+name, "renewing the certificate in Secret %s/%s: %v", live.Namespace, name, problem)
	}
	leaf, err := certificate.NewIssuer(s.root, certificate.KeySpec{}, r.Now).Server([]string{host}, servingLifetime)
	if err != nil {
		return err
	}
	s.bundles[name] = trustBoth(s.root.CertPEM(), live)
	if live != nil {
		// The API server must trust the new certificate before the pods serve it.
		if err := r.widenTrust(ctx, s); err != nil {
			return err
		}
	}
	s.lookAgain(servingLifetime - renewBefore)
	return r.writeServing(ctx, s, name, leaf)
}

// verifyServing says until when a certificate is good, or why it must be replaced.
func verifyServing(secret *corev1.Secret, root *certificate.Root, host string, now time.Time) (time.Time, error) {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return time.Time{}, fmt.Errorf("it is damaged: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root.CertPEM())
	if !bytes.Contains(secret.Data[names.CABundleCert], bytes.TrimSpace(root.CertPEM())) {
		return time.Time{}, fmt.Errorf("the root of the mesh is another one")
	}
	intermediates := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(c)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: intermediates, CurrentTime: now}); err != nil {
		return time.Time{}, err
	}
	if now.After(pair.Leaf.NotAfter.Add(-renewBefore)) {
		return time.Time{}, fmt.Errorf("it ends at %s", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return pair.Leaf.NotAfter, nil
}

// trustBoth is the trust during a change of the root: the new root, and the one before it for as long as pods still serve its
// certificate. The next renewal leaves the old one out.
func trustBoth(root []byte, live *corev1.Secret) []byte {
	if live == nil {
		return root
	}
	old := live.Data[names.CABundleCert]
	pool := x509.NewCertPool()
	if bytes.Contains(old, bytes.TrimSpace(root)) || !pool.AppendCertsFromPEM(old) {
		return root
	}
	return append(bytes.Clone(root), old...)
}

// writeServing writes a certificate into its Secret.
func (r *Reconciler) writeServing(ctx context.Context, s *scope, name string, leaf certificate.Leaf) error {
	data := map[string]any{}
	for key, value := range map[string][]byte{
		corev1.TLSCertKey: leaf.ChainPEM, corev1.TLSPrivateKeyKey: leaf.KeyPEM, names.CABundleCert: s.bundles[name],
	} {
		data[key] = base64.StdEncoding.EncodeToString(value)
	}
	secret := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": string(corev1.SecretTypeTLS), "data": data,
	}}
	secret.SetNamespace(s.wanted.Namespace)
	secret.SetName(name)
	secret.SetLabels(operand.Labels(s.mesh.Name, ""))
	if err := apply.Own(s.mesh, r.Client.Scheme(), secret); err != nil {
		return err
	}
	// A hash of a private key must not be left in an annotation.
	if err := r.Applier.Plainly(ctx, secret); err != nil {
		return fmt.Errorf("the certificate in Secret %s/%s cannot be written: %w", s.wanted.Namespace, name, err)
	}
	return nil
}
