package certificates

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
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// servingLifetime is how long the certificate of a webhook is valid.
	servingLifetime = 90 * 24 * time.Hour
	// renewBefore is how long before its end it is replaced. That leaves time to find out why a renewal fails.
	renewBefore = servingLifetime / 3
)

// renewServing keeps one serving certificate in its Secret.
func (r *Reconciler) renewServing(ctx context.Context, p *pass, name, host string) error {
	live, err := r.Secrets.Get(ctx, p.desired.Namespace, name)
	if err != nil {
		return err
	}
	if live != nil {
		end, problem := verifyServing(live, p.root, host, r.Now())
		if problem == nil {
			p.serving[name] = end
			p.bundles[name] = servingTrust(live, p.root, r.Now().Add(-r.MountDelay))
			p.RequeueAfter(renewalDelay(end, p.root, r.Now()))
			if !bytes.Equal(p.bundles[name], p.root.CertPEM()) {
				p.RequeueAfter(r.MountDelay)
			}
			return r.restoreServing(ctx, p, live)
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "CertificateRenewed", "Renew "+name, "renewing the certificate in Secret %s/%s: %v",
			live.Namespace, name, problem)
	}
	issued, err := certificate.NewIssuer(p.root, certificate.KeySpec{}, r.Now).Server([]string{host}, servingLifetime)
	if err != nil {
		return err
	}
	p.serving[name] = issued.NotAfter
	p.bundles[name] = p.root.CertPEM()
	if live != nil {
		// Pods still serve the old certificate.
		p.bundles[name] = p.root.Merge(live.Data[names.CABundleCert])
		// The API server must trust the new certificate before the pods serve it.
		if err := r.widenTrust(ctx, p); err != nil {
			return err
		}
	}
	p.RequeueAfter(renewalDelay(issued.NotAfter, p.root, r.Now()))
	return r.writeServing(ctx, p, name, issued)
}

// renewalDelay is how long a certificate with an expiry is kept; 0 means as long as its issuer, whose replacement is an event.
func renewalDelay(end time.Time, issuer *certificate.Root, now time.Time) time.Duration {
	if !end.Before(issuer.NotAfter()) {
		return 0
	}
	return max(end.Add(-renewBefore).Sub(now), time.Second)
}

// verifyServing returns the end of a certificate's lifetime, or why it must be replaced.
func verifyServing(secret *corev1.Secret, root *certificate.Root, host string, now time.Time) (time.Time, error) {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return time.Time{}, fmt.Errorf("it is damaged: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root.CertPEM())
	if !root.Issued(pair.Leaf) {
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
	if now.After(pair.Leaf.NotAfter.Add(-renewBefore)) && pair.Leaf.NotAfter.Before(root.NotAfter()) {
		return time.Time{}, fmt.Errorf("it ends at %s", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return pair.Leaf.NotAfter, nil
}

// servingTrust is the trust for a good certificate. It leaves out other roots than the mesh's if the certificate was issued before
// the given time: then no pod serves an older one.
func servingTrust(live *corev1.Secret, root *certificate.Root, before time.Time) []byte {
	pair, err := tls.X509KeyPair(live.Data[corev1.TLSCertKey], live.Data[corev1.TLSPrivateKeyKey])
	if err == nil && certificate.IssuedAt(pair.Leaf).Before(before) {
		return root.CertPEM()
	}
	return root.Merge(live.Data[names.CABundleCert])
}

// writeServing writes a certificate into its Secret.
func (r *Reconciler) writeServing(ctx context.Context, p *pass, name string, issued certificate.Certificate) error {
	data := map[string][]byte{corev1.TLSCertKey: issued.ChainPEM, corev1.TLSPrivateKeyKey: issued.KeyPEM, names.CABundleCert: p.bundles[name]}
	key := client.ObjectKey{Namespace: p.desired.Namespace, Name: name}
	if err := r.applySecret(ctx, p, key, corev1.SecretTypeTLS, nil, data); err != nil {
		return fmt.Errorf("the certificate in Secret %s cannot be written: %w", key, err)
	}
	return nil
}

// applySecret writes a Secret of the mesh. A hash of a private key must not be left in an annotation.
func (r *Reconciler) applySecret(
	ctx context.Context, p *pass, key client.ObjectKey, kind corev1.SecretType, annotations map[string]string, content map[string][]byte,
) error {
	data := map[string]any{}
	for name, value := range content {
		data[name] = base64.StdEncoding.EncodeToString(value)
	}
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "type": string(kind), "data": data}}
	secret.SetNamespace(key.Namespace)
	secret.SetName(key.Name)
	secret.SetLabels(operand.Labels(p.mesh.Name, ""))
	secret.SetAnnotations(annotations)
	return r.Applier.ApplyUnconditionally(ctx, secret)
}

// restoreServing restores the trust of a Secret with a good certificate, and the labels, by which the Secret is found when the mesh is removed.
func (r *Reconciler) restoreServing(ctx context.Context, p *pass, live *corev1.Secret) error {
	if isLabelled(live, p.mesh) && bytes.Equal(live.Data[names.CABundleCert], p.bundles[live.Name]) {
		return nil
	}
	return r.writeServing(ctx, p, live.Name, certificate.Certificate{ChainPEM: live.Data[corev1.TLSCertKey], KeyPEM: live.Data[corev1.TLSPrivateKeyKey]})
}

// isLabelled is true when a Secret has the labels of what was made for a mesh.
func isLabelled(secret *corev1.Secret, mesh *v1alpha1.Mesh) bool {
	return labels.SelectorFromSet(operand.Labels(mesh.Name, "")).Matches(labels.Set(secret.Labels))
}

// widenTrust makes registered webhooks trust the certificates of their servers. While the root changes, the bundles hold both roots.
func (r *Reconciler) widenTrust(ctx context.Context, p *pass) error {
	active := observe.ActiveRevision(p.revisions)
	if active == nil || len(p.bundles[secrets.InjectorCert]) == 0 || len(p.bundles[secrets.ValidatorCert]) == 0 {
		return nil
	}
	narrow, err := r.narrowWebhooks(ctx, p, active, r.Client)
	if err != nil || len(narrow) == 0 {
		return err
	}
	// The webhooks are written as a whole, with the canary. One that a cache still knows, or does not know yet, would be restored or lost.
	if narrow, err = r.narrowWebhooks(ctx, p, active, r.Live); err != nil {
		return err
	}
	session := r.Applier.For(p.mesh)
	for _, object := range narrow {
		if _, err := session.Apply(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// narrowWebhooks renders the webhooks that a reader knows as registered, and that do not trust the certificates of their servers.
func (r *Reconciler) narrowWebhooks(ctx context.Context, p *pass, active *v1alpha1.MeshRevision, reader client.Reader) ([]*unstructured.Unstructured, error) {
	injection, err := webhooks.LiveInjection(ctx, reader, p.mesh.Name)
	if err != nil {
		return nil, err
	}
	objects, err := webhooks.Render(r.Cluster, active, p.namespace, injection, p.bundles)
	if err != nil {
		return nil, err
	}
	var narrow []*unstructured.Unstructured
	for _, object := range objects {
		live, err := webhooks.Registered(ctx, reader, object)
		if err != nil {
			return nil, err
		}
		if live != nil && !webhooks.Trusts(live, p.bundles) {
			narrow = append(narrow, object)
		}
	}
	return narrow, nil
}
