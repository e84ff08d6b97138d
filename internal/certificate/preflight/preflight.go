package preflight

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mesh is what gets certificates of an authority.
type Mesh struct {
	// Namespace is the namespace of the control plane.
	Namespace string
	// TrustDomain is the trust domain in which the candidate would issue.
	TrustDomain string
	// Sidecars are all that run, connected or not.
	Sidecars []Sidecar
	// Webhooks are the webhook configurations, with the Services that serve them.
	Webhooks []Webhook
}

// Sidecar is a pod with a sidecar.
type Sidecar struct {
	// Name is "<namespace>/<pod>".
	Name    string
	Account identity.ServiceAccount
}

// Webhook is a webhook configuration with its server.
type Webhook struct {
	// Configuration is its name, and Service that of its server.
	Configuration, Service string
}

// WebhooksOf returns the webhook configurations of a mesh. That of a canary is part of the first.
func WebhooksOf(mesh string) []Webhook {
	return []Webhook{{names.MutatingWebhook(mesh), names.Injector}, {names.ValidatingWebhook(mesh), names.Validator}}
}

// holder gets a certificate.
type holder struct {
	what     string
	dnsNames []string
	uris     []*url.URL
	usages   []x509.ExtKeyUsage
}

// Check returns a sentence for each sidecar and webhook of a mesh, and for the control plane, whose certificates peers would reject if a
// candidate issued them. The path begins with the certificate that would issue, and ends with the trusted root. Without a path the candidate
// is a new root, which has no limits.
func Check(path []*x509.Certificate, mesh Mesh, now time.Time) ([]string, error) {
	if len(path) == 0 {
		return nil, nil
	}
	copied, err := copyAuthority(path, now)
	if err != nil {
		return nil, err
	}
	results := map[string]error{}
	var rejected []string
	for _, h := range mesh.holders() {
		// Without limits of names all certificates for the same usages have the same result. All pods of an account have one certificate.
		key := fmt.Sprint(h.usages)
		if limitsNames(path) {
			key += fmt.Sprint(h.dnsNames)
		}
		problem, isKnown := results[key]
		if !isKnown {
			problem = copied.issue(h)
			results[key] = problem
		}
		if problem != nil {
			rejected = append(rejected, fmt.Sprintf("%s cannot use a certificate of the new authority: %v", h.what, problem))
		}
	}
	return rejected, nil
}

// Probe returns why peers would reject all certificates of an authority, whatever their names: nil if they would not.
func Probe(path []*x509.Certificate, now time.Time) error {
	copied, err := copyAuthority(path, now)
	if err != nil {
		return err
	}
	return copied.issue(holder{usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}})
}

// holders lists what gets certificates: webhooks and the control plane before the sidecars, of which there are many. An account without a SPIFFE
// ID gets none.
func (m Mesh) holders() []holder {
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	var list []holder
	for _, w := range m.Webhooks {
		list = append(list, holder{what: "the webhook " + w.Configuration, dnsNames: []string{w.Service + "." + m.Namespace + ".svc"}, usages: server})
	}
	controlPlane := []string{names.ADSCommonName(m.TrustDomain), names.ReportCommonName(m.TrustDomain)}
	list = append(list, holder{what: "the control plane", dnsNames: controlPlane, usages: server})
	for _, s := range m.Sidecars {
		id, err := s.Account.SPIFFE(m.TrustDomain)
		if err != nil {
			continue
		}
		list = append(list, holder{
			what: "the sidecar of " + s.Name, dnsNames: []string{s.Account.Principal(m.TrustDomain)}, uris: []*url.URL{id},
			usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		})
	}
	return list
}

// NamespacesWithout lists the namespaces whose trust ConfigMap lacks one of some certificates, sorted.
func NamespacesWithout(ctx context.Context, c client.Reader, mesh string, namespaces, trusted []string) ([]string, error) {
	var without []string
	for _, namespace := range namespaces {
		trust := &corev1.ConfigMap{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.TrustConfigMap(mesh)}, trust)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("the trust of namespace %s cannot be read: %w", namespace, err)
		}
		if apierrors.IsNotFound(err) || lacks([]byte(trust.Data[names.CABundleCert]), trusted) {
			without = append(without, namespace)
		}
	}
	return lists.Unique(without), nil
}

// WebhooksWithout has a sentence for each registered webhook configuration of a mesh that lacks one of some trusted certificates.
func WebhooksWithout(ctx context.Context, c client.Reader, mesh string, trusted []string) ([]string, error) {
	mutating, validating := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	for name, object := range map[string]client.Object{names.MutatingWebhook(mesh): mutating, names.ValidatingWebhook(mesh): validating} {
		if err := c.Get(ctx, client.ObjectKey{Name: name}, object); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("the webhook configuration %s cannot be read: %w", name, err)
		}
	}
	bundles := [2][][]byte{
		lists.Map(mutating.Webhooks, func(w admissionv1.MutatingWebhook) []byte { return w.ClientConfig.CABundle }),
		lists.Map(validating.Webhooks, func(w admissionv1.ValidatingWebhook) []byte { return w.ClientConfig.CABundle }),
	}
	var without []string
	for i, object := range []client.Object{mutating, validating} {
		if slices.ContainsFunc(bundles[i], func(bundle []byte) bool { return lacks(bundle, trusted) }) {
			without = append(without, describeWebhook(object))
		}
	}
	return without, nil
}

// describeWebhook describes why a webhook configuration lacks trust.
func describeWebhook(object client.Object) string {
	sentence := fmt.Sprintf("the webhook %s does not trust every root of the mesh", object.GetName())
	if object.GetAnnotations()[names.DriftAnnotation] == names.DriftIgnore {
		sentence += fmt.Sprintf(", because its annotation %s=%s keeps the operator from updating it", names.DriftAnnotation, names.DriftIgnore)
	}
	return sentence
}

// lacks reports whether a bundle (PEM) lacks one of some certificates.
func lacks(bundle []byte, trusted []string) bool {
	has, err := certificate.Fingerprints(bundle)
	return err != nil || slices.ContainsFunc(trusted, func(c string) bool { return !slices.Contains(has, c) })
}

// copied is a copy of an authority with keys of its own. It has the same limits: names, usages, path length and validity.
type copied struct {
	issuing       *x509.Certificate
	key           *ecdsa.PrivateKey
	root          *x509.CertPool
	intermediates *x509.CertPool
	now           time.Time
}

// copyAuthority copies the certificates of an authority, which begin with the issuing one and end with the root.
func copyAuthority(path []*x509.Certificate, now time.Time) (*copied, error) {
	c := &copied{root: x509.NewCertPool(), intermediates: x509.NewCertPool(), now: now}
	for i := len(path) - 1; i >= 0; i-- {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate a key: %w", err)
		}
		template := withLimitsOf(path[i])
		parent, signer := template, key
		if c.issuing != nil {
			parent, signer = c.issuing, c.key
		}
		made, err := sign(template, parent, key, signer)
		if err != nil {
			return nil, fmt.Errorf("copy the certificate %q: %w", path[i].Subject, err)
		}
		if c.issuing == nil {
			c.root.AddCert(made)
		} else {
			c.intermediates.AddCert(made)
		}
		c.issuing, c.key = made, key
	}
	return c, nil
}

// withLimitsOf returns a template with everything that limits what a certificate may issue.
func withLimitsOf(c *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: c.Subject, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		IsCA: c.IsCA, BasicConstraintsValid: c.BasicConstraintsValid, MaxPathLen: c.MaxPathLen, MaxPathLenZero: c.MaxPathLenZero,
		KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage, UnknownExtKeyUsage: c.UnknownExtKeyUsage,
		PermittedDNSDomainsCritical: c.PermittedDNSDomainsCritical, PermittedDNSDomains: c.PermittedDNSDomains, ExcludedDNSDomains: c.ExcludedDNSDomains,
		PermittedIPRanges: c.PermittedIPRanges, ExcludedIPRanges: c.ExcludedIPRanges,
		PermittedEmailAddresses: c.PermittedEmailAddresses, ExcludedEmailAddresses: c.ExcludedEmailAddresses,
		PermittedURIDomains: c.PermittedURIDomains, ExcludedURIDomains: c.ExcludedURIDomains,
	}
}

// limitsNames reports whether an authority may not issue certificates for all names.
func limitsNames(path []*x509.Certificate) bool {
	for _, c := range path {
		if len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedURIDomains)+len(c.ExcludedURIDomains)+
			len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses) > 0 {
			return true
		}
	}
	return false
}

// issue issues the certificate of a holder and returns why a peer would reject it.
func (c *copied) issue(h holder) error {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: h.dnsNames, URIs: h.uris, NotBefore: c.now.Add(-time.Minute), NotAfter: c.now.Add(time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: h.usages, BasicConstraintsValid: true,
	}
	leaf, err := sign(template, c.issuing, c.key, c.key)
	if err != nil {
		return err
	}
	// Each usage must be possible: a peer verifies one.
	for _, usage := range h.usages {
		options := x509.VerifyOptions{Roots: c.root, Intermediates: c.intermediates, CurrentTime: c.now, KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := leaf.Verify(options); err != nil {
			return fmt.Errorf("%s: %w", usageNames[usage], err)
		}
	}
	return nil
}

// usageNames describe who would reject a certificate.
var usageNames = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageClientAuth: "servers would reject it as that of a client",
	x509.ExtKeyUsageServerAuth: "clients would reject it as that of a server",
}

// sign signs a template for a key.
func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
