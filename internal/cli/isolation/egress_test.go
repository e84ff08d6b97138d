package isolation_test

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/isolation"
)

func policies(t *testing.T, specs ...string) []networkingv1.NetworkPolicy {
	t.Helper()
	var all []networkingv1.NetworkPolicy
	for _, spec := range specs {
		policy := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p"}}
		if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
			t.Fatal(err)
		}
		all = append(all, policy)
	}
	return all
}

// controlPlane is the control plane of a cluster, and assumed is what is known about it without a cluster.
var (
	controlPlane = isolation.Server{
		Namespace: "osm-system", NamespaceLabels: map[string]string{"kubernetes.io/metadata.name": "osm-system", "team": "mesh"},
		Labels:    map[string]string{"app": "osm-controller", "tier": "a"},
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9")}, Protocol: corev1.ProtocolTCP, Ports: []int32{15128},
	}
	assumed = isolation.Server{
		Namespace: "osm-system", NamespaceLabels: map[string]string{"kubernetes.io/metadata.name": "osm-system"}, Labels: map[string]string{"app": "osm-controller"},
		Partial: true, Protocol: corev1.ProtocolTCP, Ports: []int32{15128},
	}
)

func TestAllow(t *testing.T) {
	for rules, want := range map[string]struct{ cluster, files bool }{
		`[]`:                         {false, false},
		`[{}]`:                       {true, true},
		`[{ports: [{port: 443}]}]`:   {false, false},
		`[{ports: [{port: 15128}]}]`: {true, true},
		`[{ports: [{port: 15128, protocol: UDP}]}]`:          {false, false},
		`[{ports: [{protocol: TCP}]}]`:                       {true, true},
		`[{ports: [{port: 15000, endPort: 16000}]}]`:         {true, true},
		`[{ports: [{port: 15129, endPort: 16000}]}]`:         {false, false},
		`[{ports: [{port: ads}]}]`:                           {true, true},
		`[{ports: [{port: 443}]}, {ports: [{port: 15128}]}]`: {true, true},
		`[{to: [{podSelector: {}}]}]`:                        {false, false},
		`[{to: [{namespaceSelector: {}}]}]`:                  {true, true},
		`[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: osm-system}}, podSelector: {matchLabels: {app: osm-controller}}}]}]`: {true, true},
		`[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}]`:                                                          {false, false},
		`[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: osm-system}}, podSelector: {matchLabels: {app: osm-injector}}}]}]`:   {false, false},
		`[{to: [{namespaceSelector: {matchLabels: {team: mesh}}}]}]`:                                                                                 {true, true},
		`[{to: [{namespaceSelector: {matchLabels: {team: shop}}}]}]`:                                                                                 {false, true},
		`[{to: [{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}}]}]`:                                                         {true, true},
		`[{to: [{namespaceSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}]}]`:                                                   {false, true},
		`[{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]`:                                                                                                    {true, true},
		`[{to: [{ipBlock: {cidr: "fd00::/64"}}]}]`:                                                                                                   {true, true},
		`[{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}]}]`:                                                                             {false, true},
		`[{to: [{ipBlock: {cidr: 192.0.2.0/24}}, {podSelector: {}}], ports: [{port: 15128}]}]`:                                                       {false, true},
		`[{to: [{podSelector: {}}], ports: [{port: 15128}]}, {to: [{namespaceSelector: {}}], ports: [{port: 443}]}]`:                                 {false, false},
	} {
		all := policies(t, `{podSelector: {}, policyTypes: [Egress]}`, `{podSelector: {}, policyTypes: [Egress], egress: `+rules+`}`)
		if got := isolation.Allow(all, controlPlane); got != want.cluster {
			t.Errorf("in a cluster, %s: %t, want %t", rules, got, want.cluster)
		}
		if got := isolation.Allow(all, assumed); got != want.files {
			t.Errorf("in files, %s: %t, want %t", rules, got, want.files)
		}
	}
}

func TestIsolating(t *testing.T) {
	for spec, want := range map[string]int{
		`{podSelector: {}, policyTypes: [Egress]}`:                             1,
		`{podSelector: {}, policyTypes: [Ingress]}`:                            0,
		`{podSelector: {}}`:                                                    0,
		`{podSelector: {}, egress: [{}]}`:                                      1,
		`{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}`:      1,
		`{podSelector: {matchLabels: {app: database}}, policyTypes: [Egress]}`: 0,
	} {
		if got := len(isolation.Isolating(policies(t, spec), "shop", map[string]string{"app": "web"})); got != want {
			t.Errorf("%s: %d policies, want %d", spec, got, want)
		}
	}
	if got := isolation.Isolating(policies(t, `{podSelector: {}, policyTypes: [Egress]}`), "other", nil); len(got) != 0 {
		t.Errorf("policies of another namespace isolate: %v", got)
	}
}

func TestAllowPort(t *testing.T) {
	dns := isolation.Server{Namespace: "kube-system", Protocol: corev1.ProtocolUDP, Ports: []int32{53, 5353}}
	for rules, want := range map[string]bool{
		`[{}]`:                    false,
		`[{ports: [{port: 53}]}]`: false,
		`[{to: [{podSelector: {}}], ports: [{port: 53}, {port: 53, protocol: UDP}]}]`: true,
		`[{ports: [{port: 5353, protocol: UDP}]}]`:                                    true,
	} {
		if got := isolation.AllowPort(policies(t, `{podSelector: {}, policyTypes: [Egress], egress: `+rules+`}`), dns); got != want {
			t.Errorf("%s: %t, want %t", rules, got, want)
		}
	}
}
