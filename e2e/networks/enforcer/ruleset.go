package enforcer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// table is the name of the table of nftables, in the family inet.
const table = "osm-test-policies"

// State is what NetworkPolicies are evaluated with.
type State struct {
	Policies   []networkingv1.NetworkPolicy
	Pods       []corev1.Pod
	Namespaces []corev1.Namespace
}

// Options are the properties in which networks differ.
type Options struct {
	// Namespaces are those whose policies apply. Policies of others are ignored.
	Namespaces []string
	// PodRanges have the addresses of all pods. An address in them that no pod has yet cannot connect, so a new pod is isolated from its first packet on.
	PodRanges []netip.Prefix
	// IsolateFromNode applies policies to connections from the node too, such as probes. Most networks always allow them.
	IsolateFromNode bool
	// CutEstablished applies policies also to the packets that a pod sends in connections from before. Most networks let these continue.
	CutEstablished bool
}

// Ruleset returns the table that drops what no policy allows, as text for nft. It replaces an earlier table at once. Named ports and SCTP are errors.
func Ruleset(state State, options Options) (string, error) {
	b := &builder{state: state, options: options}
	b.line("table inet %s", table)
	b.line("delete table inet %s", table)
	b.line("table inet %s {", table)
	entries := []string{}
	for i := range state.Pods {
		jumps, err := b.isolate(&state.Pods[i])
		if err != nil {
			return "", err
		}
		entries = append(entries, jumps...)
	}
	b.entry(entries)
	b.line("}")
	return b.text.String(), nil
}

// builder writes a table.
type builder struct {
	state   State
	options Options
	text    strings.Builder
	chains  int
}

func (b *builder) line(format string, args ...any) { fmt.Fprintf(&b.text, format+"\n", args...) }

// entry writes the chains that packets enter. Policies apply after Services were translated, to the addresses and ports of pods.
func (b *builder) entry(jumps []string) {
	b.line("chain policies {")
	// Without neighbour discovery IPv6 does not work at all.
	b.line("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept")
	if b.options.CutEstablished {
		b.line("ct direction reply accept")
	} else {
		b.line("ct state established,related accept")
	}
	for _, r := range b.options.PodRanges {
		known := b.known(r)
		b.line("%s saddr %s%s drop", family(r.Addr()), r, except(family(r.Addr())+" saddr", known))
	}
	for _, jump := range jumps {
		b.line("%s", jump)
	}
	b.line("}")
	hooks := []string{"forward", "input"}
	if b.options.IsolateFromNode {
		hooks = append(hooks, "output")
	}
	for _, hook := range hooks {
		b.line("chain %s { type filter hook %s priority filter + 10; policy accept; jump policies; }", hook, hook)
	}
}

// known returns the addresses of all pods in a range, and that of the node, which is the first one.
func (b *builder) known(r netip.Prefix) []string {
	found := []string{r.Masked().Addr().Next().String()}
	for i := range b.state.Pods {
		for _, a := range addresses(&b.state.Pods[i]) {
			if r.Contains(a) && a.String() != found[0] {
				found = append(found, a.String())
			}
		}
	}
	return found
}

// isolate writes the chains of a pod, and returns the rules that lead there. A pod that no policy selects has none.
func (b *builder) isolate(pod *corev1.Pod) (jumps []string, err error) {
	if pod.Spec.HostNetwork || len(addresses(pod)) == 0 {
		return nil, nil
	}
	for _, d := range []direction{egress, ingress} {
		rules, isolated, err := b.rules(pod, d)
		if err != nil {
			return nil, err
		}
		if !isolated {
			continue
		}
		b.chains++
		name := fmt.Sprintf("%s-%d", strings.ToLower(string(d.policyType)), b.chains)
		b.line("chain %s { # %s/%s", name, pod.Namespace, pod.Name)
		for _, rule := range rules {
			b.line("%s", rule)
		}
		b.line("drop")
		b.line("}")
		for _, a := range addresses(pod) {
			jumps = append(jumps, fmt.Sprintf("%s %s %s jump %s", family(a), d.self, a, name))
		}
	}
	return jumps, nil
}

// rules returns what all policies that select a pod together allow, and whether there is one for this direction.
func (b *builder) rules(pod *corev1.Pod, d direction) (rules []string, isolated bool, err error) {
	for i := range b.state.Policies {
		policy := &b.state.Policies[i]
		if policy.Namespace != pod.Namespace || !slices.Contains(b.options.Namespaces, policy.Namespace) || !d.has(policy) {
			continue
		}
		selected, err := matches(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return nil, false, err
		}
		if !selected {
			continue
		}
		isolated = true
		for _, rule := range d.rules(policy) {
			allowed, err := b.allow(policy.Namespace, rule, d)
			if err != nil {
				return nil, false, fmt.Errorf("NetworkPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
			}
			rules = append(rules, allowed...)
		}
	}
	return rules, isolated, nil
}

// allow returns the rules of nftables for one rule of a policy: each peer with each port.
func (b *builder) allow(namespace string, r rule, d direction) (rules []string, err error) {
	peers, err := b.peers(namespace, r.peers, d.peer)
	if err != nil {
		return nil, err
	}
	ports, err := ports(r.ports)
	if err != nil {
		return nil, err
	}
	for _, peer := range peers {
		for _, port := range ports {
			rules = append(rules, strings.TrimSpace(strings.Join(strings.Fields(peer+" "+port+" return"), " ")))
		}
	}
	return rules, nil
}
