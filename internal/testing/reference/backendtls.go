package reference

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// encrypting returns the policy by which a request to a host, which some of the Egresses allow, must be encrypted: the oldest BackendTLSPolicy of those about
// the host. It is nil for none.
func (c *Cluster) encrypting(egresses []policyv1alpha1.Egress, r EgressCall) *gatewayv1.BackendTLSPolicy {
	var oldest *gatewayv1.BackendTLSPolicy
	for i := range c.BackendTLSPolicies {
		policy := &c.BackendTLSPolicies[i]
		if !slices.ContainsFunc(egresses, func(e policyv1alpha1.Egress) bool { return isAbout(e, r) && targets(policy, e) }) {
			continue
		}
		if oldest == nil || cmp.Or(policy.CreationTimestamp.Compare(oldest.CreationTimestamp.Time), cmp.Compare(policy.Name, oldest.Name)) < 0 {
			oldest = policy
		}
	}
	return oldest
}

// isAbout reports whether an Egress sends requests to the host of a call, whatever their paths.
func isAbout(e policyv1alpha1.Egress, r EgressCall) bool {
	isHTTP := func(p policyv1alpha1.EgressPortSpec) bool { return p.Number == r.Port && p.Protocol == "http" }
	return r.Sends == "http" && slices.ContainsFunc(e.Spec.Ports, isHTTP) && slices.Contains(e.Spec.Hosts, strings.TrimSuffix(r.Host, fmt.Sprintf(":%d", r.Port)))
}

func targets(policy *gatewayv1.BackendTLSPolicy, e policyv1alpha1.Egress) bool {
	return policy.Namespace == e.Namespace && slices.ContainsFunc(policy.Spec.TargetRefs, func(ref gatewayv1.LocalPolicyTargetReferenceWithSectionName) bool {
		return ref.Group == "policy.openservicemesh.io" && ref.Kind == "Egress" && string(ref.Name) == e.Name
	})
}

// encryptingServer returns the policy by which connections to an ExtensionService must be encrypted: the oldest one about it. It is nil for none.
func (c *Cluster) encryptingServer(namespace, name string) *gatewayv1.BackendTLSPolicy {
	var oldest *gatewayv1.BackendTLSPolicy
	for i := range c.BackendTLSPolicies {
		policy := &c.BackendTLSPolicies[i]
		isAboutServer := func(ref gatewayv1.LocalPolicyTargetReferenceWithSectionName) bool {
			return ref.Group == "config.openservicemesh.io" && ref.Kind == "ExtensionService" && string(ref.Name) == name
		}
		if policy.Namespace != namespace || !slices.ContainsFunc(policy.Spec.TargetRefs, isAboutServer) {
			continue
		}
		if oldest == nil || cmp.Or(policy.CreationTimestamp.Compare(oldest.CreationTimestamp.Time), cmp.Compare(policy.Name, oldest.Name)) < 0 {
			oldest = policy
		}
	}
	return oldest
}

// isUsable reports whether each ConfigMap of a policy has authorities.
func (c *Cluster) isUsable(policy *gatewayv1.BackendTLSPolicy) bool {
	return !slices.ContainsFunc(policy.Spec.Validation.CACertificateRefs, func(ref gatewayv1.LocalObjectReference) bool {
		return !slices.ContainsFunc(c.ConfigMaps, func(m corev1.ConfigMap) bool {
			return ref.Kind == "ConfigMap" && m.Namespace == policy.Namespace && m.Name == string(ref.Name) && m.Data["ca.crt"] != ""
		})
	})
}
