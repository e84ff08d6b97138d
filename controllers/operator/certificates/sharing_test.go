package certificates

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// policyReader lists the policies of approver-policy, or fails.
type policyReader struct {
	client.Reader
	selectors []map[string]any
	err       error
}

func (p policyReader) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	policies, ok := list.(*unstructured.UnstructuredList)
	if !ok || policies.GetKind() != "CertificateRequestPolicyList" {
		return errors.New("another kind is listed")
	}
	for _, selector := range p.selectors {
		object := map[string]any{"spec": map[string]any{"selector": map[string]any{"issuerRef": selector}}}
		policies.Items = append(policies.Items, unstructured.Unstructured{Object: object})
	}
	return p.err
}

// TestSharedIssuersAreReported checks which issuers need a policy, and that one for the issuer is sufficient.
func TestSharedIssuersAreReported(t *testing.T) {
	notServed := apierrors.NewNotFound(schema.GroupResource{Group: "policy.cert-manager.io", Resource: "certificaterequestpolicies"}, "")
	shared := v1alpha1.IssuerReference{Name: "corporate", Kind: ptr.To("ClusterIssuer")}
	declares := func(kind string, inUse bool) []declared {
		object := &configv1alpha2.MeshRootCertificate{}
		object.Spec.Provider.CertManager = &configv1alpha2.CertManagerProvider{IssuerName: "corporate", IssuerKind: kind}
		return []declared{{object: object, inUse: inUse}}
	}
	for name, test := range map[string]struct {
		provider v1alpha1.CertificateProvider
		issuer   v1alpha1.IssuerReference
		declared []declared
		policies policyReader
		want     string
	}{
		"the built-in provider":               {v1alpha1.ProviderBuiltIn, shared, nil, policyReader{err: notServed}, ""},
		"an Issuer":                           {v1alpha1.ProviderCertManager, v1alpha1.IssuerReference{Name: "corporate"}, nil, policyReader{err: notServed}, ""},
		"a ClusterIssuer":                     {v1alpha1.ProviderCertManager, shared, nil, policyReader{err: notServed}, "the ClusterIssuer corporate with any identity of the mesh"},
		"without policies":                    {v1alpha1.ProviderCertManager, shared, nil, policyReader{}, "because no CertificateRequestPolicy selects it"},
		"with a policy":                       {v1alpha1.ProviderCertManager, shared, nil, policyReader{selectors: []map[string]any{{"name": "corporate"}}}, ""},
		"with a policy for another issuer":    {v1alpha1.ProviderCertManager, shared, nil, policyReader{selectors: []map[string]any{{"name": "other"}}}, "use an Issuer in the namespace"},
		"with policies that cannot be read":   {v1alpha1.ProviderCertManager, shared, nil, policyReader{err: errors.New("forbidden")}, "; policies cannot be read: forbidden"},
		"a declared root of a ClusterIssuer":  {v1alpha1.ProviderBuiltIn, v1alpha1.IssuerReference{}, declares("ClusterIssuer", true), policyReader{}, "the ClusterIssuer corporate"},
		"a declared root of an Issuer":        {v1alpha1.ProviderBuiltIn, v1alpha1.IssuerReference{}, declares("", true), policyReader{}, ""},
		"a declared root that is not in use":  {v1alpha1.ProviderBuiltIn, v1alpha1.IssuerReference{}, declares("ClusterIssuer", false), policyReader{}, ""},
		"a ClusterIssuer of another project":  {v1alpha1.ProviderCertManager, v1alpha1.IssuerReference{Name: "a", Kind: ptr.To("AWSPCAClusterIssuer")}, nil, policyReader{}, "the AWSPCAClusterIssuer a"},
		"a namespaced one of another project": {v1alpha1.ProviderCertManager, v1alpha1.IssuerReference{Name: "a", Kind: ptr.To("AWSPCAIssuer")}, nil, policyReader{}, ""},
	} {
		r, p := newReconciler(t), passOf(validRoot(t))
		r.Live = test.policies
		p.desired.Provider, p.desired.Issuer, p.declared = test.provider, test.issuer, test.declared
		if err := r.observeSharing(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if (p.shared == "") != (test.want == "") || !strings.Contains(p.shared, test.want) {
			t.Errorf("%s: %q, want %q", name, p.shared, test.want)
		}
	}
}
