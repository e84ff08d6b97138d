package operator_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// declareGateway sets the certificate of the ingress gateway in the MeshConfig of a mesh.
func declareGateway(t *testing.T, mesh string, spec *configv1alpha2.IngressGatewayCertSpec) {
	t.Helper()
	change(t, meshConfig(mesh), func(c *configv1alpha2.MeshConfig) { c.Spec.Certificate.IngressGateway = spec })
}

// gatewayOf is a declaration of a certificate in the namespace of a mesh.
func gatewayOf(mesh, secret, name string) *configv1alpha2.IngressGatewayCertSpec {
	return &configv1alpha2.IngressGatewayCertSpec{
		SubjectAltNames: []string{name}, ValidityDuration: "1h", Secret: corev1.SecretReference{Namespace: meshNamespace(mesh), Name: secret},
	}
}

// verifyGateway reports why the certificate in a Secret does not prove a name to servers that trust an authority, or why the trust next to
// it is another one.
func verifyGateway(secret *corev1.Secret, name string, authority *certificate.Root) error {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertPEM())
	options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := pair.Leaf.Verify(options); err != nil {
		return err
	}
	if !slices.Equal(pair.Leaf.DNSNames, []string{name}) || len(pair.Leaf.URIs) > 0 {
		return fmt.Errorf("the names are %v and %v", pair.Leaf.DNSNames, pair.Leaf.URIs)
	}
	if got, want := string(secret.Data[names.CABundleCert]), string(authority.CertPEM()); got != want {
		return fmt.Errorf("the trust is\n%s\nwant\n%s", got, want)
	}
	return nil
}

// waitGateway waits for the condition of the gateway's certificate.
func waitGateway(t *testing.T, mesh *v1alpha1.Mesh, status metav1.ConditionStatus, texts ...string) {
	t.Helper()
	reason := v1alpha1.ReasonCertificatesFailed
	if status == metav1.ConditionTrue {
		reason = v1alpha1.ReasonCertificatesValid
	}
	c := waitCondition(t, mesh, v1alpha1.ConditionIngressCertificateReady, status, reason)
	assertContains(t, c.Message, texts...)
}

// The certificate of the ingress gateway is kept in the Secret that the MeshConfig names, follows a rotation, and is deleted with its
// declaration.
func TestIngressGatewayCertificateIsKept(t *testing.T) {
	t.Parallel()
	const mesh, name = "gateway", "osm-contour-envoy.gateway-ingress.cluster.local"
	m := readyMesh(t, mesh, nil)
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.ContourCertSecret)}
	declareGateway(t, mesh, gatewayOf(mesh, names.ContourCertSecret, name))
	root := activeRoot(t, mesh)
	waitFor(t, secret, func(s *corev1.Secret) error { return verifyGateway(s, name, root) })
	waitGateway(t, m, metav1.ConditionTrue, "valid until")

	desired := authority(t, mesh)
	next := rootOf(t, desired)
	cluster.health.lag(meshNamespace(mesh), "shop/stopped")
	change(t, &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.CABundleSecret)}, func(s *corev1.Secret) { s.Data = desired.Data })
	waitFor(t, secret, func(s *corev1.Secret) error {
		return verifyGateway(s, name, root.Trusting(append(root.Trusted(), next.Trusted()...)))
	})
	cluster.health.lag(meshNamespace(mesh), "")
	waitFor(t, secret, func(s *corev1.Secret) error { return verifyGateway(s, name, next) })

	// Another name of the Secret moves the certificate.
	moved := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.NginxCertSecret)}
	declareGateway(t, mesh, gatewayOf(mesh, names.NginxCertSecret, name))
	waitFor(t, moved, func(s *corev1.Secret) error { return verifyGateway(s, name, next) })
	waitGone(t, secret)
	declareGateway(t, mesh, nil)
	waitGone(t, moved)
	eventually(t, func() error {
		get(t, m)
		if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionIngressCertificateReady); c != nil {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
}

// A declaration that would take the identity of a workload or of the control plane, or the Secret of somebody else, is rejected. The mesh
// stays ready.
func TestThreat3IngressGatewayTakesNoOtherIdentity(t *testing.T) {
	t.Parallel()
	const mesh = "gatewaybad"
	m := readyMesh(t, mesh, nil)
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gatewaybad-shop", Labels: map[string]string{names.MonitoredByLabel: mesh}}}
	create(t, shop)
	const good = "gateway.ingress.cluster.local"
	for _, test := range []struct{ name, want string }{
		{"bookbuyer.gatewaybad-shop.cluster.local", "is that of the service account gatewaybad-shop/bookbuyer in the mesh"},
		{"ads.cluster.local", "is reserved for the control plane"},
		{"*.cluster.local", "is not a DNS name"},
	} {
		declareGateway(t, mesh, gatewayOf(mesh, names.ContourCertSecret, test.name))
		eventually(t, func() error {
			get(t, m)
			c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionIngressCertificateReady)
			if c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, test.want) {
				return fmt.Errorf("%s: the condition is %+v", test.name, c)
			}
			return nil
		})
	}
	unmanaged := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.ContourCertSecret), Data: map[string][]byte{"a": []byte("b")}}
	create(t, unmanaged)
	declareGateway(t, mesh, gatewayOf(mesh, names.ContourCertSecret, good))
	eventually(t, func() error {
		get(t, m)
		c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionIngressCertificateReady)
		if c == nil || !strings.Contains(c.Message, "was not created for this mesh") {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
	get(t, unmanaged)
	if string(unmanaged.Data["a"]) != "b" || len(unmanaged.Data) != 1 {
		t.Errorf("the Secret of somebody else has %d keys", len(unmanaged.Data))
	}
	waitReady(t, m)
}

// The Secret of a gateway is deleted when the namespace in the name of its certificate joins the mesh: a pod there may have that identity.
func TestThreat3GatewayCertificateIsWithdrawn(t *testing.T) {
	t.Parallel()
	const mesh, name = "gatewayjoin", "nginx.gatewayjoin-ingress.cluster.local"
	m := readyMesh(t, mesh, nil)
	ingress := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gatewayjoin-ingress"}}
	create(t, ingress)
	secret := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.NginxCertSecret)}
	declareGateway(t, mesh, gatewayOf(mesh, names.NginxCertSecret, name))
	root := activeRoot(t, mesh)
	waitFor(t, secret, func(s *corev1.Secret) error { return verifyGateway(s, name, root) })
	waitGateway(t, m, metav1.ConditionTrue, "valid until")

	change(t, ingress, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = mesh })
	waitGone(t, secret)
	waitGateway(t, m, metav1.ConditionFalse, "gatewayjoin-ingress/nginx", "has no certificate")
	if m.Status.Certificates.IngressGateway != nil {
		t.Errorf("the status has the certificate %+v", m.Status.Certificates.IngressGateway)
	}
	change(t, ingress, func(n *corev1.Namespace) { delete(n.Labels, names.MonitoredByLabel) })
	waitFor(t, secret, func(s *corev1.Secret) error { return verifyGateway(s, name, root) })
}
