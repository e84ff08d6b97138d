package reference

import (
	"cmp"

	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
)

// Authorizer is a server that must allow requests to a pod. Without a Port, there is no usable server.
type Authorizer struct {
	Host string
	Port int32
	// FailOpen allows requests without a decision.
	FailOpen bool
}

// Authorizers returns the servers that must allow HTTP requests to a pod, in order: that of the MeshConfig, that of the namespace of the mesh,
// and that of the pod's namespace.
func (c *Cluster) Authorizers(pod types.NamespacedName) []Authorizer {
	var list []Authorizer
	if config := c.MeshConfig.Spec.Traffic.InboundExternalAuthorization; config.Enable {
		list = append(list, Authorizer{Host: config.Address, Port: int32(config.Port), FailOpen: config.FailureModeAllow})
	}
	for _, namespace := range []string{c.MeshConfig.Namespace, pod.Namespace} {
		if policy := c.authorizationIn(namespace, c.labels(pod)); policy != nil {
			list = append(list, c.authorizerOf(policy))
		}
	}
	return list
}

func (c *Cluster) labels(pod types.NamespacedName) map[string]string {
	for i := range c.Pods {
		if c.Pods[i].Namespace == pod.Namespace && c.Pods[i].Name == pod.Name {
			return c.Pods[i].Labels
		}
	}
	return nil
}

// authorizationIn returns the policy of a namespace for a pod: one with a selector, then the oldest, then the first by name; nil without any.
func (c *Cluster) authorizationIn(namespace string, labels map[string]string) *policyv1alpha1.ExternalAuthorization {
	var found *policyv1alpha1.ExternalAuthorization
	for i := range c.ExternalAuthorizations {
		candidate := &c.ExternalAuthorizations[i]
		if candidate.Namespace != namespace || !hasAll(labels, candidate.Spec.Selector) {
			continue
		}
		if found == nil || cmp.Or(cmp.Compare(rank(found), rank(candidate)), candidate.CreationTimestamp.Compare(found.CreationTimestamp.Time), cmp.Compare(candidate.Name, found.Name)) < 0 {
			found = candidate
		}
	}
	return found
}

// rank is higher for a policy with a selector.
func rank(policy *policyv1alpha1.ExternalAuthorization) int { return min(len(policy.Spec.Selector), 1) }

func hasAll(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// authorizerOf returns the server of a policy. It must be in the namespace of the policy or of the mesh.
func (c *Cluster) authorizerOf(policy *policyv1alpha1.ExternalAuthorization) Authorizer {
	a := Authorizer{FailOpen: policy.Spec.FailureModeAllow}
	ref := policy.Spec.ExtensionService
	namespace := cmp.Or(ref.Namespace, policy.Namespace)
	for _, service := range c.ExtensionServices {
		if service.Namespace == namespace && service.Name == ref.Name && (namespace == policy.Namespace || namespace == c.MeshConfig.Namespace) {
			a.Host, a.Port = service.Spec.Host, service.Spec.Port
		}
	}
	return a
}
