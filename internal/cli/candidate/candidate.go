package candidate

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
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
		if object.GroupVersionKind().GroupKind() == kind && object.GetName() == name && cmp.Or(object.GetNamespace(), s.Namespace) == cmp.Or(namespace, s.Namespace) {
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
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := s.Cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	return object, err
}

// isNotServed reports whether the API server does not have a kind.
func isNotServed(err error) bool { return meta.IsNoMatchError(err) }
