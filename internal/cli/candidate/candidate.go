package candidate

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Candidate is a certificate authority that a mesh might use.
type Candidate struct {
	// Description names it in the output.
	Description string
	// Path are its certificates, from the issuing one to the root. It is empty if they are not known, or if the root would be new.
	Path []*x509.Certificate
	// TrustDomain is the trust domain in which it would issue; empty for that of the mesh.
	TrustDomain string
	// Problems are why the operator could not use it.
	Problems []string
	// Notes are what could not be checked.
	Notes []string
}

// NewRoot is a new root of the operator.
func NewRoot() Candidate { return Candidate{Description: "a new root of the operator"} }

// FromPEM reads an authority from certificates that begin with the issuing one and end with the root.
func FromPEM(name string, text []byte) (Candidate, error) {
	path, err := certificate.DecodeCertificates(text)
	if err != nil {
		return Candidate{}, fmt.Errorf("%s: %w", name, err)
	}
	return Candidate{Description: fmt.Sprintf("the authority %q in %s", path[0].Subject, name), Path: path}, nil
}

// Source is where objects are read: the manifests first, then the cluster.
type Source struct {
	Cluster   client.Reader
	Manifests []*unstructured.Unstructured
	// Namespace is the namespace of the mesh.
	Namespace string
}

// FromMesh reads the authority that the manifest of a Mesh declares, or that in a Secret osm-ca-bundle among the manifests.
func (s Source) FromMesh(ctx context.Context, name string) (Candidate, error) {
	mesh, err := s.mesh(name)
	if err != nil {
		return Candidate{}, err
	}
	certificates := ptr.Deref(mesh.Spec.Certificates, v1alpha1.CertificatesSpec{})
	var c Candidate
	switch {
	case certificates.IssuerRef != nil:
		reference := certificates.IssuerRef
		c, err = s.FromIssuer(ctx, ptr.Deref(reference.Group, issuerGroup), ptr.Deref(reference.Kind, "Issuer"), reference.Name)
	case certificates.Vault != nil:
		c = Candidate{Description: "the Vault at " + certificates.Vault.Address, Notes: []string{unknownCertificates}}
	default:
		c, err = s.ownRoot()
	}
	c.TrustDomain = ptr.Deref(certificates.TrustDomain, "")
	return c, err
}

// mesh returns the manifest of a Mesh. Manifests without one change nothing in it.
func (s Source) mesh(name string) (*v1alpha1.Mesh, error) {
	mesh := &v1alpha1.Mesh{}
	object := s.find(v1alpha1.GroupVersion.WithKind("Mesh").GroupKind(), "", name)
	if object == nil {
		return mesh, nil
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, mesh); err != nil {
		return nil, fmt.Errorf("the manifest of Mesh %s is not valid: %w", name, err)
	}
	return mesh, nil
}

// ownRoot reads the Secret osm-ca-bundle among the manifests. Without one the root is new.
func (s Source) ownRoot() (Candidate, error) {
	secret := s.find(schema.GroupKind{Kind: "Secret"}, s.Namespace, names.CABundleSecret)
	if secret == nil {
		return NewRoot(), nil
	}
	data, err := secretData(secret)
	if err != nil {
		return Candidate{}, err
	}
	root, err := certificate.Decode(data)
	if err != nil {
		return Candidate{}, fmt.Errorf("the manifest of Secret %s: %w", names.CABundleSecret, err)
	}
	return Candidate{Description: "the authority in the manifest of Secret " + names.CABundleSecret, Path: root.Path()}, nil
}

// find returns an object among the manifests; nil without one. An empty namespace in a manifest is that of the mesh.
func (s Source) find(kind schema.GroupKind, namespace, name string) *unstructured.Unstructured {
	for _, object := range s.Manifests {
		if object.GroupVersionKind().GroupKind() == kind && object.GetName() == name &&
			cmp.Or(object.GetNamespace(), s.Namespace) == cmp.Or(namespace, s.Namespace) {
			return object
		}
	}
	return nil
}

// get reads an object from the manifests or the cluster.
func (s Source) get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	if object := s.find(kind.GroupKind(), namespace, name); object != nil {
		return object, nil
	}
	object := kinds.Object(kind)
	err := s.Cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	return object, err
}

const (
	issuerGroup = "cert-manager.io"
	// clusterResources is the namespace of the Secrets of a ClusterIssuer, as cert-manager is installed by default.
	clusterResources = "cert-manager"
	// unknownCertificates notes that limits of an authority are unknown.
	unknownCertificates = "its certificates are not known before it has issued: the operator checks them before it uses them, and changes nothing if something would break"
)

// FromIssuer reads an issuer of cert-manager. Only an issuer of the type ca has its certificates in the cluster.
func (s Source) FromIssuer(ctx context.Context, group, kind, name string) (Candidate, error) {
	c := Candidate{Description: fmt.Sprintf("the %s %s of cert-manager", kind, name)}
	if group != issuerGroup {
		c.Notes = []string{fmt.Sprintf("issuers of %s are not read: %s", group, unknownCertificates)}
		return c, nil
	}
	namespace := s.Namespace
	if kind == "ClusterIssuer" {
		namespace = ""
	}
	issuer, err := s.get(ctx, schema.GroupVersionKind{Group: issuerGroup, Version: "v1", Kind: kind}, namespace, name)
	switch {
	case meta.IsNoMatchError(err):
		c.Problems = []string{"cert-manager is not installed: the API server does not serve its kind " + kind}
		return c, nil
	case apierrors.IsNotFound(err):
		c.Problems = []string{fmt.Sprintf("the %s %s does not exist", kind, name)}
		return c, nil
	case err != nil:
		return c, err
	}
	if problem := notReady(issuer); problem != "" && issuer.GetUID() != "" {
		c.Problems = append(c.Problems, fmt.Sprintf("the %s %s is not ready: %s", kind, name, problem))
	}
	spec, _, _ := unstructured.NestedMap(issuer.Object, "spec")
	switch {
	case spec["acme"] != nil:
		c.Problems = append(c.Problems, fmt.Sprintf("the %s %s is of the type acme, which issues no authorities: use an issuer that publishes its root", kind, name))
	case spec["ca"] != nil:
		return s.withSecret(ctx, c, issuer)
	case spec["selfSigned"] == nil:
		c.Notes = append(c.Notes, unknownCertificates)
	}
	return c, nil
}

// notReady returns why an issuer is not ready; empty if it is.
func notReady(issuer *unstructured.Unstructured) string {
	conditions, _ := kinds.ConditionsOf(issuer) // unreadable conditions are as good as none
	switch ready := meta.FindStatusCondition(conditions, "Ready"); {
	case ready == nil:
		return "cert-manager has not processed it yet"
	case ready.Status == metav1.ConditionTrue:
		return ""
	default:
		return ready.Message
	}
}

// withSecret adds the certificates of an issuer of the type ca, below which cert-manager would issue an intermediate authority.
func (s Source) withSecret(ctx context.Context, c Candidate, issuer *unstructured.Unstructured) (Candidate, error) {
	name, _, _ := unstructured.NestedString(issuer.Object, "spec", "ca", "secretName")
	namespace := s.Namespace
	if issuer.GetKind() == "ClusterIssuer" {
		namespace = clusterResources
	}
	secret, err := s.get(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, namespace, name)
	if err == nil {
		var path []*x509.Certificate
		if path, err = pathOf(secret); err == nil {
			c.Path = append([]*x509.Certificate{intermediate(path[0])}, path...)
			return c, nil
		}
	}
	c.Notes = append(c.Notes, fmt.Sprintf("the limits of its certificates are not checked: Secret %s/%s: %v", namespace, name, err))
	return c, nil
}

// intermediate is the authority that cert-manager would issue, which has no limits of its own.
func intermediate(issuer *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mesh"}, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter.Add(-time.Second),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: -1, KeyUsage: x509.KeyUsageCertSign,
	}
}

// pathOf returns the certificates in the Secret of an issuer, from its own to the root.
func pathOf(secret *unstructured.Unstructured) ([]*x509.Certificate, error) {
	data, err := secretData(secret)
	if err != nil {
		return nil, err
	}
	path, err := certificate.DecodeCertificates(data["tls.crt"])
	if err != nil {
		return nil, fmt.Errorf("tls.crt: %w", err)
	}
	last := path[len(path)-1]
	if last.CheckSignatureFrom(last) == nil {
		return path, nil
	}
	roots, err := certificate.DecodeCertificates(data["ca.crt"])
	if err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	for _, root := range roots {
		if last.CheckSignatureFrom(root) == nil {
			return append(path, root), nil
		}
	}
	return nil, errors.New("tls.crt leads to no certificate in ca.crt")
}

// secretData returns the content of a Secret, also of a manifest with stringData.
func secretData(secret *unstructured.Unstructured) (map[string][]byte, error) {
	data := map[string][]byte{}
	encoded, _, err := unstructured.NestedStringMap(secret.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("the data of Secret %s is not valid: %w", secret.GetName(), err)
	}
	for key, text := range encoded {
		if data[key], err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, fmt.Errorf("the key %s of Secret %s is not base64: %w", key, secret.GetName(), err)
		}
	}
	plain, _, err := unstructured.NestedStringMap(secret.Object, "stringData")
	if err != nil {
		return nil, fmt.Errorf("the stringData of Secret %s is not valid: %w", secret.GetName(), err)
	}
	for key, text := range plain {
		data[key] = []byte(text)
	}
	return data, nil
}
