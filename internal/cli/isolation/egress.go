package isolation

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// Server is where pods connect to: the pods behind one port.
type Server struct {
	Namespace string
	// NamespaceLabels are the labels of the namespace, and Labels those of the pods. With Partial, both may have others too.
	NamespaceLabels, Labels map[string]string
	Partial                 bool
	// Addresses are those of the pods and of their Service; none if they are unknown.
	Addresses []netip.Addr
	Protocol  corev1.Protocol
	// Ports are the ports of the pods. A connection to one of them suffices.
	Ports []int32
}

// Isolating returns the policies that restrict where a pod can connect to. Without any, it can connect to everything.
func Isolating(policies []networkingv1.NetworkPolicy, namespace string, pod map[string]string) []networkingv1.NetworkPolicy {
	var found []networkingv1.NetworkPolicy
	for _, policy := range policies {
		if policy.Namespace == namespace && restrictsEgress(&policy) && matches(&policy.Spec.PodSelector, pod, false) {
			found = append(found, policy)
		}
	}
	return found
}

// restrictsEgress applies the default of the API server to policies in files, which may name no types.
func restrictsEgress(policy *networkingv1.NetworkPolicy) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return len(policy.Spec.Egress) > 0
	}
	return slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
}

// Allow reports whether a rule of one of the policies allows connections to a server.
func Allow(policies []networkingv1.NetworkPolicy, to Server) bool {
	return anyRule(policies, func(policy *networkingv1.NetworkPolicy, rule *networkingv1.NetworkPolicyEgressRule) bool {
		return (len(rule.Ports) == 0 || to.hasPort(rule.Ports)) && to.isPeer(policy.Namespace, rule.To)
	})
}

// AllowPort reports whether a rule of one of the policies names a port of a server, whoever its peers are.
func AllowPort(policies []networkingv1.NetworkPolicy, to Server) bool {
	return anyRule(policies, func(_ *networkingv1.NetworkPolicy, rule *networkingv1.NetworkPolicyEgressRule) bool {
		return to.hasPort(rule.Ports)
	})
}

func anyRule(policies []networkingv1.NetworkPolicy, allows func(*networkingv1.NetworkPolicy, *networkingv1.NetworkPolicyEgressRule) bool) bool {
	for i := range policies {
		for j := range policies[i].Spec.Egress {
			if allows(&policies[i], &policies[i].Spec.Egress[j]) {
				return true
			}
		}
	}
	return false
}

// hasPort reports whether one of the ports of a rule is one of the server. A named port may be.
func (s Server) hasPort(ports []networkingv1.NetworkPolicyPort) bool {
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		if ptr.Deref(p.Protocol, corev1.ProtocolTCP) != s.Protocol {
			return false
		}
		if p.Port == nil || p.Port.Type == intstr.String {
			return true
		}
		return slices.ContainsFunc(s.Ports, func(port int32) bool {
			return p.Port.IntVal <= port && port <= ptr.Deref(p.EndPort, p.Port.IntVal)
		})
	})
}

// isPeer reports whether the peers of a rule of a policy in a namespace include the server.
func (s Server) isPeer(namespace string, peers []networkingv1.NetworkPolicyPeer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.IPBlock != nil {
			return s.isIn(p.IPBlock)
		}
		inNamespace := s.Namespace == namespace
		if p.NamespaceSelector != nil {
			inNamespace = matches(p.NamespaceSelector, s.NamespaceLabels, s.Partial)
		}
		return inNamespace && (p.PodSelector == nil || matches(p.PodSelector, s.Labels, s.Partial))
	})
}

func (s Server) isIn(block *networkingv1.IPBlock) bool {
	cidr, err := netip.ParsePrefix(block.CIDR)
	if err != nil {
		return false // it contains nothing
	}
	return len(s.Addresses) == 0 || slices.ContainsFunc(s.Addresses, func(a netip.Addr) bool {
		return cidr.Contains(a) && !slices.ContainsFunc(block.Except, func(except string) bool {
			excluded, err := netip.ParsePrefix(except)
			return err == nil && excluded.Contains(a)
		})
	})
}

// matches reports whether a selector selects labels. With partial, a label that is not among them may have any value.
func matches(selector *metav1.LabelSelector, of map[string]string, partial bool) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return partial // the API server rejects it
	}
	if !partial {
		return parsed.Matches(labels.Set(of))
	}
	requirements, _ := parsed.Requirements()
	return !slices.ContainsFunc(requirements, func(r labels.Requirement) bool {
		_, known := of[r.Key()]
		return known && !r.Matches(labels.Set(of))
	})
}
