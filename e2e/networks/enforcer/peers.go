package enforcer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// rule is a rule of a policy in either direction.
type rule struct {
	ports []networkingv1.NetworkPolicyPort
	peers []networkingv1.NetworkPolicyPeer
}

// direction is one of the two directions of policies.
type direction struct {
	policyType networkingv1.PolicyType
	// self is the address of the selected pod in a packet, and peer that of the other end.
	self, peer string
}

var (
	egress  = direction{networkingv1.PolicyTypeEgress, "saddr", "daddr"}
	ingress = direction{networkingv1.PolicyTypeIngress, "daddr", "saddr"}
)

// has reports whether a policy isolates in this direction. The API server sets the types of policies that name none.
func (d direction) has(policy *networkingv1.NetworkPolicy) bool {
	return slices.Contains(policy.Spec.PolicyTypes, d.policyType)
}

func (d direction) rules(policy *networkingv1.NetworkPolicy) []rule {
	var all []rule
	if d == ingress {
		for _, r := range policy.Spec.Ingress {
			all = append(all, rule{r.Ports, r.From})
		}
		return all
	}
	for _, r := range policy.Spec.Egress {
		all = append(all, rule{r.Ports, r.To})
	}
	return all
}

// peers returns a match for each family of each peer; one empty match if all peers are allowed. field is saddr or daddr.
func (b *builder) peers(namespace string, peers []networkingv1.NetworkPolicyPeer, field string) ([]string, error) {
	if len(peers) == 0 {
		return []string{""}, nil
	}
	var found []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			cidr, err := netip.ParsePrefix(peer.IPBlock.CIDR)
			if err != nil {
				return nil, err
			}
			match := family(cidr.Addr()) + " " + field
			found = append(found, fmt.Sprintf("%s %s%s", match, cidr, except(match, peer.IPBlock.Except)))
			continue
		}
		v4, v6, err := b.selected(namespace, peer)
		if err != nil {
			return nil, err
		}
		for version, all := range map[string][]string{"ip": v4, "ip6": v6} {
			if len(all) > 0 {
				found = append(found, fmt.Sprintf("%s %s { %s }", version, field, strings.Join(all, ", ")))
			}
		}
	}
	slices.Sort(found) // the text must not differ without a reason
	return found, nil
}

// selected returns the addresses of the pods that a peer selects.
func (b *builder) selected(namespace string, peer networkingv1.NetworkPolicyPeer) (v4, v6 []string, err error) {
	for i := range b.state.Pods {
		pod := &b.state.Pods[i]
		is, err := b.isPeer(namespace, peer, pod)
		if err != nil {
			return nil, nil, err
		}
		if !is || pod.Spec.HostNetwork {
			continue
		}
		for _, a := range addresses(pod) {
			if a.Is4() {
				v4 = append(v4, a.String())
			} else {
				v6 = append(v6, a.String())
			}
		}
	}
	return v4, v6, nil
}

func (b *builder) isPeer(namespace string, peer networkingv1.NetworkPolicyPeer, pod *corev1.Pod) (bool, error) {
	inNamespace := pod.Namespace == namespace
	if peer.NamespaceSelector != nil {
		at := slices.IndexFunc(b.state.Namespaces, func(n corev1.Namespace) bool { return n.Name == pod.Namespace })
		if at < 0 {
			return false, nil
		}
		var err error
		if inNamespace, err = matches(peer.NamespaceSelector, b.state.Namespaces[at].Labels); err != nil {
			return false, err
		}
	}
	if !inNamespace || peer.PodSelector == nil {
		return inNamespace, nil
	}
	return matches(peer.PodSelector, pod.Labels)
}

// ports returns a match for each port; one empty match if all are allowed.
func ports(all []networkingv1.NetworkPolicyPort) ([]string, error) {
	if len(all) == 0 {
		return []string{""}, nil
	}
	var found []string
	for _, port := range all {
		protocol := ptr.Deref(port.Protocol, corev1.ProtocolTCP)
		switch {
		case protocol != corev1.ProtocolTCP && protocol != corev1.ProtocolUDP:
			return nil, errors.New("the protocol " + string(protocol) + " is not supported")
		case port.Port == nil:
			found = append(found, "meta l4proto "+strings.ToLower(string(protocol)))
		case port.Port.Type == intstr.String:
			return nil, errors.New("the named port " + port.Port.StrVal + " is not supported")
		default:
			found = append(found, fmt.Sprintf("%s dport %d-%d", strings.ToLower(string(protocol)), port.Port.IntVal, ptr.Deref(port.EndPort, port.Port.IntVal)))
		}
	}
	return found, nil
}

func matches(selector *metav1.LabelSelector, of map[string]string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(of)), err
}

// addresses returns the addresses of a pod that has not ended.
func addresses(pod *corev1.Pod) []netip.Addr {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	var all []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// family returns the name of the family of an address in nftables.
func family(a netip.Addr) string {
	if a.Is4() {
		return "ip"
	}
	return "ip6"
}

// except returns a match for all but some addresses; empty without any.
func except(match string, addresses []string) string {
	if len(addresses) == 0 {
		return ""
	}
	return fmt.Sprintf(" %s != { %s }", match, strings.Join(addresses, ", "))
}
