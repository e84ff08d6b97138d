package certificates

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gatewayInterval is how often the Secret of the ingress gateway is read. Its name is the user's, so it is not watched.
const gatewayInterval = time.Minute

// gateway is the result for the certificate of the ingress gateway.
type gateway struct {
	summary *v1alpha1.GatewayCertificate
	// problem is why the certificate is not kept.
	problem error
}

// describe describes the certificate that is kept.
func (g *gateway) describe() string {
	return fmt.Sprintf("the certificate of the ingress gateway in Secret %s/%s is valid until %s",
		g.summary.Namespace, g.summary.Name, g.summary.NotAfter.UTC().Format(time.RFC3339))
}

// reconcileGateway keeps the certificate of the ingress gateway in the Secret that the MeshConfig names. A problem with it stops nothing else.
func (r *Reconciler) reconcileGateway(ctx context.Context, p *pass) error {
	config := &configv1alpha2.MeshConfig{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: p.desired.Namespace, Name: names.MeshConfig}, config)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the MeshConfig of namespace %s cannot be read: %w", p.desired.Namespace, err)
	}
	spec := config.Spec.Certificate.IngressGateway
	earlier := ptr.Deref(p.mesh.Status.Certificates, v1alpha1.CertificatesStatus{}).IngressGateway
	if earlier != nil && (spec == nil || gatewayKey(spec) != client.ObjectKey{Namespace: earlier.Namespace, Name: earlier.Name}) {
		if err := r.deleteGateway(ctx, p, *earlier); err != nil {
			p.gateway = &gateway{earlier, err}
			return nil
		}
		earlier = nil
	}
	if spec == nil {
		return nil
	}
	// The Secret stays known after a problem, so that it can be deleted later.
	p.gateway = &gateway{summary: earlier}
	p.RequeueAfter(gatewayInterval)
	request, err := r.gatewayRequest(ctx, p, spec)
	if err == nil {
		var summary *v1alpha1.GatewayCertificate
		if summary, err = r.renewGateway(ctx, p, request); err == nil {
			p.gateway.summary = summary
		}
	}
	if apierrors.IsConflict(err) {
		return err
	}
	p.gateway.problem = err
	if errors.As(err, &memberNameError{}) && earlier != nil {
		// The namespace in the name of the certificate joined the mesh. The certificate would prove the identity of a workload there.
		if failed := r.deleteGateway(ctx, p, *earlier); failed != nil {
			p.gateway.problem = errors.Join(err, failed)
			return nil
		}
		p.gateway.summary = nil
	}
	return nil
}

func gatewayKey(spec *configv1alpha2.IngressGatewayCertSpec) client.ObjectKey {
	return client.ObjectKey{Namespace: spec.Secret.Namespace, Name: spec.Secret.Name}
}

// gatewayRequest is a certificate to keep.
type gatewayRequest struct {
	key      client.ObjectKey
	dnsName  string
	lifetime time.Duration
}

// gatewayRequest validates what the MeshConfig declares.
func (r *Reconciler) gatewayRequest(ctx context.Context, p *pass, spec *configv1alpha2.IngressGatewayCertSpec) (gatewayRequest, error) {
	request := gatewayRequest{key: gatewayKey(spec), lifetime: defaultGatewayLifetime}
	switch {
	case request.key.Name == "" || request.key.Namespace == "":
		return request, errors.New("spec.certificate.ingressGateway.secret of the MeshConfig needs a name and a namespace")
	case len(spec.SubjectAltNames) == 0:
		return request, errors.New("spec.certificate.ingressGateway.subjectAltNames of the MeshConfig is empty: write the DNS name that proves the identity of the gateway")
	}
	if d, err := time.ParseDuration(spec.ValidityDuration); err == nil && d > 0 {
		request.lifetime = max(d, certificate.MinLifetime)
	}
	request.dnsName = spec.SubjectAltNames[0]
	return request, r.checkGatewayName(ctx, p, request.dnsName)
}

// renewGateway issues the certificate again if it is missing, damaged, due for renewal or of another issuer, and keeps the trust next to it.
func (r *Reconciler) renewGateway(ctx context.Context, p *pass, request gatewayRequest) (*v1alpha1.GatewayCertificate, error) {
	live := &corev1.Secret{}
	err := r.Live.Get(ctx, request.key, live)
	switch {
	case apierrors.IsNotFound(err):
		live = nil
	case err != nil:
		return nil, gatewayError(request.key, "read", err)
	case live.Labels[names.MeshLabel] != p.mesh.Name:
		return nil, fmt.Errorf("the Secret %s exists and was not created for this mesh: delete it, or name another one in spec.certificate.ingressGateway of the MeshConfig", request.key)
	}
	data, end, problem := p.verifyGateway(live, request, r.Now())
	if problem != nil {
		issued, err := certificate.NewIssuer(p.root, certificate.KeySpec{}, r.Now).Client(request.dnsName, request.lifetime)
		if err != nil {
			return nil, err
		}
		data, end = map[string][]byte{corev1.TLSCertKey: issued.ChainPEM, corev1.TLSPrivateKeyKey: issued.KeyPEM}, issued.NotAfter
	}
	if end.Before(p.root.NotAfter()) {
		p.RequeueAfter(gatewayRenewal(end, request.lifetime).Sub(r.Now()))
	}
	summary := &v1alpha1.GatewayCertificate{Namespace: request.key.Namespace, Name: request.key.Name, NotAfter: secondsOf(end)}
	data[names.CABundleCert] = p.root.CertPEM()
	if problem == nil && isLabelled(live, p.mesh) && bytes.Equal(live.Data[names.CABundleCert], data[names.CABundleCert]) {
		return summary, nil
	}
	if recorded, err := r.recordGateway(ctx, p, summary); err != nil || !recorded {
		return nil, err
	}
	if problem != nil {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "CertificateRenewed", "Renew "+request.key.Name, "issued the certificate of the ingress gateway in Secret %s: %v", request.key, problem)
	}
	// The form is that of OSM.
	if err := r.applySecret(ctx, p, request.key, corev1.SecretTypeTLS, nil, data); err != nil {
		return summary, gatewayError(request.key, "written", err)
	}
	return summary, nil
}

// recordGateway writes the name of a Secret to the status before the Secret exists: without a record it would never be deleted. It returns
// false before the first status of the mesh, which is an event.
func (r *Reconciler) recordGateway(ctx context.Context, p *pass, summary *v1alpha1.GatewayCertificate) (bool, error) {
	if earlier := p.gateway.summary; earlier != nil && earlier.Namespace == summary.Namespace && earlier.Name == summary.Name {
		return true, nil
	}
	p.gateway.summary = summary
	desired := p.mesh.Status.DeepCopy()
	desired.Certificates = p.summarize()
	written, err := r.Status.Write(ctx, status.Certificates, p.mesh, desired)
	return written != nil, err
}

// defaultGatewayLifetime is OSM's lifetime of the certificate of an ingress gateway.
const defaultGatewayLifetime = 24 * time.Hour

// gatewayRenewal is when a certificate with a lifetime is renewed: at two thirds of it.
func gatewayRenewal(end time.Time, lifetime time.Duration) time.Time { return end.Add(-lifetime / 3) }

// verifyGateway returns the certificate and key of a Secret and their expiry, or why a new one must be issued.
func (p *pass) verifyGateway(live *corev1.Secret, request gatewayRequest, now time.Time) (map[string][]byte, time.Time, error) {
	if live == nil {
		return nil, time.Time{}, errors.New("there was none")
	}
	pair, err := tls.X509KeyPair(live.Data[corev1.TLSCertKey], live.Data[corev1.TLSPrivateKeyKey])
	switch {
	case err != nil:
		return nil, time.Time{}, fmt.Errorf("the earlier one was damaged: %w", err)
	case !p.root.Issued(pair.Leaf):
		return nil, time.Time{}, errors.New("the mesh has another certificate authority")
	case len(pair.Leaf.DNSNames) != 1 || pair.Leaf.DNSNames[0] != request.dnsName:
		return nil, time.Time{}, errors.New("the declared name has changed")
	case pair.Leaf.NotAfter.After(now.Add(request.lifetime)):
		return nil, time.Time{}, errors.New("the declared lifetime is shorter now")
	case !now.Before(gatewayRenewal(pair.Leaf.NotAfter, request.lifetime)) && pair.Leaf.NotAfter.Before(p.root.NotAfter()):
		return nil, time.Time{}, fmt.Errorf("the earlier one ends at %s", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	kept := map[string][]byte{corev1.TLSCertKey: live.Data[corev1.TLSCertKey], corev1.TLSPrivateKeyKey: live.Data[corev1.TLSPrivateKeyKey]}
	return kept, pair.Leaf.NotAfter, nil
}

// deleteGateway deletes the Secret of an earlier declaration.
func (r *Reconciler) deleteGateway(ctx context.Context, p *pass, earlier v1alpha1.GatewayCertificate) error {
	live := &corev1.Secret{}
	key := client.ObjectKey{Namespace: earlier.Namespace, Name: earlier.Name}
	err := r.Live.Get(ctx, key, live)
	if apierrors.IsNotFound(err) || err == nil && live.Labels[names.MeshLabel] != p.mesh.Name {
		return nil
	}
	if err == nil {
		err = apply.Delete(ctx, r.Client, live)
	}
	if err != nil {
		return gatewayError(key, "deleted", err)
	}
	return nil
}

// gatewayError explains why the Secret cannot be used. The operator may use two names only, so that it cannot read the Secrets of others.
func gatewayError(key client.ObjectKey, done string, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("the operator has no permission for the Secret %s: name it %s or %s, or grant its ServiceAccount get, patch and delete for this Secret",
			key, names.ContourCertSecret, names.NginxCertSecret)
	}
	return fmt.Errorf("the Secret %s of the ingress gateway cannot be %s: %w", key, done, err)
}
