package enforcer_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/e2e/networks/enforcer"
)

func pod(namespace, app string, ips ...string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app, Labels: map[string]string{"app": app}}}
	for _, ip := range ips {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	return p
}

func namespace(name string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}
}

// state has a server and a client of the namespace shop, and a server elsewhere.
func state(t *testing.T, specs ...string) enforcer.State {
	t.Helper()
	s := enforcer.State{
		Pods:       []corev1.Pod{pod("shop", "client", "10.0.0.2", "fd00::2"), pod("shop", "server", "10.0.0.3"), pod("system", "dns", "10.0.0.4", "fd00::4"), pod("system", "new")},
		Namespaces: []corev1.Namespace{namespace("shop"), namespace("system")},
	}
	for _, text := range specs {
		policy := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p"}}
		if err := yaml.UnmarshalStrict([]byte(text), &policy.Spec); err != nil {
			t.Fatal(err)
		}
		s.Policies = append(s.Policies, policy)
	}
	return s
}

// chain returns the rules of the chain that contains a text in its first line.
func chain(ruleset, title string) []string {
	var lines []string
	inside := false
	for line := range strings.Lines(ruleset) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "chain ") && strings.Contains(line, title):
			inside = true
		case line == "}":
			inside = false
		case inside:
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRulesOfClient(t *testing.T) {
	const denied = `{podSelector: {}, policyTypes: [Ingress, Egress]}`
	for name, test := range map[string]struct {
		specs           []string
		egress, ingress []string
	}{
		"no policy":      {nil, nil, nil},
		"of others":      {[]string{`{podSelector: {matchLabels: {app: server}}, policyTypes: [Egress]}`}, nil, nil},
		"default deny":   {[]string{denied}, []string{"drop"}, []string{"drop"}},
		"one direction":  {[]string{`{podSelector: {}, policyTypes: [Ingress]}`}, nil, []string{"drop"}},
		"everything":     {[]string{`{podSelector: {}, policyTypes: [Egress], egress: [{}]}`}, []string{"return", "drop"}, nil},
		"the same space": {[]string{`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: server}}}]}]}`}, []string{"ip daddr { 10.0.0.3 } return", "drop"}, nil},
		"both families": {
			[]string{denied, `{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {name: system}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}`},
			[]string{
				"ip daddr { 10.0.0.4 } udp dport 53-53 return", "ip daddr { 10.0.0.4 } tcp dport 53-53 return",
				"ip6 daddr { fd00::4 } udp dport 53-53 return", "ip6 daddr { fd00::4 } tcp dport 53-53 return", "drop",
			},
			[]string{"drop"},
		},
		"pods of a namespace": {
			[]string{`{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {name: shop}}, podSelector: {matchLabels: {app: server}}}]}]}`},
			nil,
			[]string{"ip saddr { 10.0.0.3 } return", "drop"},
		},
		"addresses": {
			[]string{`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 80, endPort: 90}, {protocol: UDP}]}]}`},
			[]string{"ip daddr 10.0.0.0/8 ip daddr != { 10.1.0.0/16 } tcp dport 80-90 return", "ip daddr 10.0.0.0/8 ip daddr != { 10.1.0.0/16 } meta l4proto udp return", "drop"},
			nil,
		},
		"nobody": {[]string{`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: none}}}]}]}`}, []string{"drop"}, nil},
	} {
		text, err := enforcer.Ruleset(state(t, test.specs...), enforcer.Options{Namespaces: []string{"shop"}})
		if err != nil {
			t.Fatal(err)
		}
		for direction, want := range map[string][]string{"egress": test.egress, "ingress": test.ingress} {
			var got []string
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "chain "+direction) && strings.HasSuffix(line, "# shop/client\n") {
					got = chain(text, strings.TrimSpace(line))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, direction, diff)
			}
		}
	}
}

func TestEntry(t *testing.T) {
	isolated := state(t, `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress]}`)
	options := enforcer.Options{Namespaces: []string{"shop"}, PodRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}}
	text, err := enforcer.Ruleset(isolated, options)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept",
		"ct state established,related accept",
		"ip saddr 10.0.0.0/24 ip saddr != { 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 } drop",
		"ip6 saddr fd00::/64 ip6 saddr != { fd00::1, fd00::2, fd00::4 } drop",
		"ip saddr 10.0.0.2 jump egress-1",
		"ip6 saddr fd00::2 jump egress-1",
	}
	if diff := cmp.Diff(want, chain(text, "policies")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(text, "hook output") {
		t.Error("policies apply to connections from the node")
	}
	options.IsolateFromNode, options.CutEstablished = true, true
	if text, _ = enforcer.Ruleset(isolated, options); !strings.Contains(text, "hook output") || !strings.Contains(text, "ct direction reply accept") || strings.Contains(text, "established") {
		t.Errorf("the options have no effect:\n%s", text)
	}
	if text, _ = enforcer.Ruleset(isolated, enforcer.Options{Namespaces: []string{"other"}}); strings.Contains(text, "# shop/client") {
		t.Error("policies of other namespaces apply")
	}
}

func TestUnsupported(t *testing.T) {
	for _, port := range []string{"{port: http}", "{port: 5, protocol: SCTP}"} {
		_, err := enforcer.Ruleset(state(t, `{podSelector: {}, policyTypes: [Egress], egress: [{ports: [`+port+`]}]}`), enforcer.Options{Namespaces: []string{"shop"}})
		if err == nil || !strings.Contains(err.Error(), "NetworkPolicy shop/p: ") {
			t.Errorf("%s: the error is %v", port, err)
		}
	}
}
