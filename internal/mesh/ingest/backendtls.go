package ingest

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// BackendTLSPolicy reads a BackendTLSPolicy. One that cannot be used is an entry with a problem: without it, requests would leave the mesh in
// plaintext.
func BackendTLSPolicy(u *unstructured.Unstructured) (*catalog.BackendTLSPolicy, []Problem) {
	policy := &catalog.BackendTLSPolicy{Name: NameOf(u), Created: u.GetCreationTimestamp().UTC()}
	object, found := convert[gatewayv1.BackendTLSPolicy](u)
	if found != nil {
		policy.Targets, policy.Problem = readableTargets(u), found[0].Message
		return policy, found
	}
	for _, ref := range object.Spec.TargetRefs {
		policy.Targets = append(policy.Targets, catalog.PolicyTarget{
			Group: string(ref.Group), Kind: string(ref.Kind), Name: string(ref.Name), Section: string(ptr.Deref(ref.SectionName, "")),
		})
	}
	validation := &object.Spec.Validation
	policy.Hostname = strings.ToLower(string(validation.Hostname))
	for _, ref := range validation.CACertificateRefs {
		if !isConfigMap(ref.Group, ref.Kind) {
			policy.OtherAuthorities = fmt.Sprintf("%s %s", ref.Kind, ref.Name)
			continue
		}
		policy.Authorities = append(policy.Authorities, string(ref.Name))
	}
	policy.SubjectAltNames = lists.Map(validation.SubjectAltNames, subjectAltName)
	policy.Problem = backendTLSProblem(policy, validation)
	return policy, nil
}

func subjectAltName(name gatewayv1.SubjectAltName) catalog.SubjectAltName {
	if name.Type == gatewayv1.URISubjectAltNameType {
		return catalog.SubjectAltName{IsURI: true, Name: string(name.URI)}
	}
	return catalog.SubjectAltName{Name: strings.ToLower(string(name.Hostname))}
}

// backendTLSProblem returns why sidecars cannot use a policy; empty if they can.
func backendTLSProblem(policy *catalog.BackendTLSPolicy, validation *gatewayv1.BackendTLSPolicyValidation) string {
	for _, target := range policy.Targets {
		if (target.IsEgress() || target.IsExtensionService()) && target.Section != "" {
			return fmt.Sprintf("spec.targetRefs has the sectionName %s, and an %s has no sections: remove it.", target.Section, target.Kind)
		}
	}
	if ptr.Deref(validation.WellKnownCACertificates, "") != "" {
		return "spec.validation.wellKnownCACertificates is not supported: refer to a ConfigMap with the authorities of the servers in spec.validation.caCertificateRefs."
	}
	if policy.Hostname == "" {
		return "spec.validation.hostname is empty: write the name that the servers prove."
	}
	for _, name := range policy.SubjectAltNames {
		if name.Name == "" || !name.IsURI && strings.HasPrefix(name.Name, "*") {
			return fmt.Sprintf("spec.validation.subjectAltNames has %q, which is not supported: write a URI, or a DNS name without a wildcard.", name.Name)
		}
	}
	if len(policy.Authorities) == 0 && policy.OtherAuthorities == "" {
		return "spec.validation.caCertificateRefs is empty: refer to a ConfigMap with the key ca.crt."
	}
	return ""
}

// readableTargets returns the targets of a policy whose spec cannot be read, as far as they can.
func readableTargets(u *unstructured.Unstructured) []catalog.PolicyTarget {
	found, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "targetRefs")
	refs, _ := found.([]any)
	var targets []catalog.PolicyTarget
	for _, ref := range refs {
		fields, _ := ref.(map[string]any)
		text := func(field string) string {
			value, _ := fields[field].(string)
			return value
		}
		targets = append(targets, catalog.PolicyTarget{Group: text("group"), Kind: text("kind"), Name: text("name"), Section: text("sectionName")})
	}
	return targets
}

// BackendAuthorities reads the content of a ConfigMap with authorities of servers. An unusable one is an entry with a problem.
func BackendAuthorities(name entity.Name, data map[string]string) *catalog.BackendAuthorities {
	certificates, problem := readAuthorities(name, data, "the servers")
	return &catalog.BackendAuthorities{Name: name, PEM: certificates, Problem: problem}
}
