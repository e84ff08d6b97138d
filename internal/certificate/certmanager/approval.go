package certmanager

import (
	"path"
	"strings"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// IsShared reports whether objects of all namespaces can refer to an issuer. Issuers of other API groups follow the names of cert-manager, for example
// AWSPCAClusterIssuer.
func IsShared(issuer cmmeta.IssuerReference) bool {
	return strings.HasSuffix(issuer.Kind, "ClusterIssuer")
}

// Policies returns an empty list of the policies of approver-policy, an approver of cert-manager.
func Policies() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "policy.cert-manager.io", Version: "v1alpha1", Kind: "CertificateRequestPolicyList"})
	return list
}

// HasPolicy reports whether a policy is about the requests to an issuer. If policies exist and none is, approver-policy cannot approve a request to it, so an
// issuer that issues has another approver.
func HasPolicy(policies *unstructured.UnstructuredList, issuer cmmeta.IssuerReference) bool {
	for i := range policies.Items {
		selector, found, err := unstructured.NestedMap(policies.Items[i].Object, "spec", "selector", "issuerRef")
		if err == nil && found && selects(selector, "name", issuer.Name) && selects(selector, "kind", issuer.Kind) && selects(selector, "group", issuer.Group) {
			return true
		}
	}
	return false
}

// selects reports whether a field of a selector, which can have wildcards, matches. One that is absent matches everything.
func selects(selector map[string]any, field, value string) bool {
	pattern, ok := selector[field].(string)
	if !ok {
		return true
	}
	matches, err := path.Match(pattern, value)
	return err == nil && matches
}
