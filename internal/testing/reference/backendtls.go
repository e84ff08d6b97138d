package reference

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
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

// encryptingServer returns the policy by which connections to an ExtensionService must be encrypted: the oldest one about it, or else that about its
// Service. It is nil for none.
func (c *Cluster) encryptingServer(service configv1alpha2.ExtensionService) *gatewayv1.BackendTLSPolicy {
	policy := c.oldestTLS(service.Namespace, func(ref gatewayv1.LocalPolicyTargetReferenceWithSectionName) bool {
		return ref.Group == "config.openservicemesh.io" && ref.Kind == "ExtensionService" && string(ref.Name) == service.Name
	})
	if policy == nil {
		policy = c.encryptingHost(service.Spec.Host, service.Spec.Port)
	}
	return policy
}

// encryptingHost returns the policy by which connections to a port of a Service must be encrypted: one about the name of the port, or else one about
// the whole Service. A host with another form has none.
func (c *Cluster) encryptingHost(host string, port int32) *gatewayv1.BackendTLSPolicy {
	parts := strings.Split(strings.TrimSuffix(host, ".cluster.local"), ".")
	if len(parts) != 3 || parts[2] != "svc" {
		return nil
	}
	about := func(section string) *gatewayv1.BackendTLSPolicy {
		return c.oldestTLS(parts[1], func(ref gatewayv1.LocalPolicyTargetReferenceWithSectionName) bool {
			named := ref.SectionName == nil && section == "" || ref.SectionName != nil && string(*ref.SectionName) == section
			return ref.Group == "" && ref.Kind == "Service" && string(ref.Name) == parts[0] && named
		})
	}
	for _, service := range c.Services {
		for _, p := range service.Spec.Ports {
			if service.Namespace == parts[1] && service.Name == parts[0] && p.Port == port && p.Name != "" {
				if policy := about(p.Name); policy != nil {
					return policy
				}
			}
		}
	}
	return about("")
}

// oldestTLS returns the oldest policy of a namespace with some target; nil for none.
func (c *Cluster) oldestTLS(namespace string, isTarget func(gatewayv1.LocalPolicyTargetReferenceWithSectionName) bool) *gatewayv1.BackendTLSPolicy {
	var oldest *gatewayv1.BackendTLSPolicy
	for i := range c.BackendTLSPolicies {
		policy := &c.BackendTLSPolicies[i]
		if policy.Namespace != namespace || !slices.ContainsFunc(policy.Spec.TargetRefs, isTarget) {
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
