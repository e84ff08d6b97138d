package components

import (
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// pod is one end of a connection. Without a namespace, it is outside of the cluster.
type pod struct {
	namespace string
	// labels of the namespace are those that its owner added; each has its name too.
	namespaceLabels, labels labels.Set
	address                 string
}

// allowed evaluates NetworkPolicies as Kubernetes describes them: both ends must allow the connection.
func allowed(t *testing.T, policies []networkingv1.NetworkPolicy, from, to pod, port int32, protocol corev1.Protocol) bool {
	t.Helper()
	return permits(t, policies, networkingv1.PolicyTypeEgress, from, to, port, protocol) && permits(t, policies, networkingv1.PolicyTypeIngress, to, from, port, protocol)
}

// permits reports whether the policies that select self permit a connection with a peer.
func permits(t *testing.T, policies []networkingv1.NetworkPolicy, direction networkingv1.PolicyType, self, peer pod, port int32, protocol corev1.Protocol) bool {
	t.Helper()
	selected := false
	for _, policy := range policies {
		if policy.Namespace != self.namespace || !matches(t, &policy.Spec.PodSelector, self.labels) || !slices.Contains(policy.Spec.PolicyTypes, direction) {
			continue
		}
		selected = true
		if direction == networkingv1.PolicyTypeIngress {
			for _, rule := range policy.Spec.Ingress {
				if hasPort(rule.Ports, port, protocol) && hasPeer(t, rule.From, policy.Namespace, peer) {
					return true
				}
			}
			continue
		}
		for _, rule := range policy.Spec.Egress {
			if hasPort(rule.Ports, port, protocol) && hasPeer(t, rule.To, policy.Namespace, peer) {
				return true
			}
		}
	}
	return !selected
}

func hasPort(ports []networkingv1.NetworkPolicyPort, port int32, protocol corev1.Protocol) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return p.Port.IntVal == port && (p.Protocol == nil && protocol == corev1.ProtocolTCP || p.Protocol != nil && *p.Protocol == protocol)
	})
}

func hasPeer(t *testing.T, peers []networkingv1.NetworkPolicyPeer, namespace string, peer pod) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.IPBlock != nil {
			return inBlock(p.IPBlock, netip.MustParseAddr(peer.address))
		}
		inNamespace := peer.namespace == namespace
		if p.NamespaceSelector != nil {
			inNamespace = peer.namespace != "" && matches(t, p.NamespaceSelector, labels.Merge(peer.namespaceLabels, labels.Set{"kubernetes.io/metadata.name": peer.namespace}))
		}
		return inNamespace && (p.PodSelector == nil || matches(t, p.PodSelector, peer.labels))
	})
}

func inBlock(block *networkingv1.IPBlock, address netip.Addr) bool {
	return netip.MustParsePrefix(block.CIDR).Contains(address) && !slices.ContainsFunc(block.Except, func(except string) bool {
		return netip.MustParsePrefix(except).Contains(address)
	})
}

func matches(t *testing.T, selector *metav1.LabelSelector, of labels.Set) bool {
	t.Helper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Matches(of)
}

// TestWhoCanConnect evaluates the NetworkPolicies for connections of each part, of tenants with forged labels, and of the egress gateway for them.
func TestWhoCanConnect(t *testing.T) {
	objects := append(build(t, "resources: [../../default]\ncomponents: [../networkpolicy]"), build(t, "namespace: osm-system\ncomponents: [../mesh-networkpolicy]")...)
	var policies []networkingv1.NetworkPolicy
	for _, name := range []string{"osm-operator", "osm-controller", "osm-injector", "osm-egress-gateway", "osm-peer-gateway", "osm-prometheus"} {
		policies = append(policies, *decode[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", name))
	}
	part := func(namespace, app, address string) pod { return pod{namespace, nil, labels.Set{"app": app}, address} }
	operator, controller := part("osm-operator-system", "osm-operator", "10.0.0.1"), part("osm-system", "osm-controller", "10.0.0.2")
	injector, prometheus := part("osm-system", "osm-injector", "10.0.0.3"), part("osm-system", "osm-prometheus", "10.0.0.4")
	gateway, metrics := part("osm-system", "osm-egress-gateway", "10.0.0.5"), part("osm-system", "osm-traffic-metrics", "10.0.0.6")
	peers, asPeers := part("osm-system", "osm-peer-gateway", "10.0.0.7"), part("evil", "osm-peer-gateway", "10.0.1.4")
	member := pod{"shop", labels.Set{"openservicemesh.io/monitored-by": "osm"}, labels.Set{"app": "web"}, "10.0.4.1"}
	tenant, asPrometheus, asOperator := part("evil", "web", "10.0.1.1"), part("evil", "osm-prometheus", "10.0.1.2"), part("evil", "osm-operator", "10.0.1.3")
	monitoring := pod{"monitoring", labels.Set{"metrics": "enabled"}, labels.Set{"app": "prometheus"}, "10.0.2.1"}
	dns, outside := part("kube-system", "dns", "10.0.3.1"), pod{address: "198.51.100.7"}
	for _, c := range []struct {
		name     string
		from, to pod
		port     int32
		want     bool
	}{
		{"sidecar to xDS", tenant, controller, 15128, true},
		{"API server to the webhook", outside, controller, 9093, true},
		{"API server to the injector", outside, injector, 9090, true},
		{"operator to the report", operator, controller, 9094, true},
		{"replica to the report", controller, controller, 9094, true},
		{"tenant to the report", tenant, controller, 9094, false},
		{"tenant with the label of the operator to the report", asOperator, controller, 9094, false},
		{"gateway to the report", gateway, controller, 9094, false},
		{"Prometheus to the controller", prometheus, controller, 9091, true},
		{"Prometheus to the injector", prometheus, injector, 9091, true},
		{"other Prometheus to the controller", monitoring, controller, 9091, true},
		{"gateway to the metrics of the controller", gateway, controller, 9091, false},
		{"gateway to the metrics of the injector", gateway, injector, 9091, false},
		{"Prometheus to the operator", prometheus, operator, 8443, true},
		{"other Prometheus to the operator", monitoring, operator, 8443, true},
		{"tenant with the label of Prometheus to the operator", asPrometheus, operator, 8443, false},
		{"TrafficMetrics to Prometheus", metrics, prometheus, 7070, true},
		{"operator to Prometheus", operator, prometheus, 7070, true},
		{"gateway to Prometheus", gateway, prometheus, 7070, false},
		{"tenant to Prometheus", tenant, prometheus, 7070, false},
		{"sidecar to the gateway", tenant, gateway, 15443, true},
		{"gateway to xDS", gateway, controller, 15128, true},
		{"gateway to DNS", gateway, dns, 53, true},
		{"gateway to a host outside", gateway, outside, 443, true},
		{"gateway to the metadata of a node", gateway, pod{address: "169.254.169.254"}, 80, false},
		{"gateway to metadata by IPv6", gateway, pod{address: "fd00:ec2::254"}, 80, false},
		{"gateway to link-local addresses", gateway, pod{address: "fe80::1"}, 80, false},
		{"peer to the peer gateway", outside, peers, 15443, true},
		{"sidecar to the peer gateway", member, peers, 15444, true},
		{"controller to the peer gateway", controller, peers, 15444, true},
		{"peer to the port for sidecars", outside, peers, 15444, false},
		{"tenant outside the mesh to the port for sidecars", tenant, peers, 15444, false},
		{"peer gateway to xDS", peers, controller, 15128, true},
		{"peer gateway to the control plane for peers", peers, controller, 15129, true},
		{"tenant to the control plane for peers", tenant, controller, 15129, false},
		{"tenant with the label of the peer gateway to the control plane for peers", asPeers, controller, 15129, false},
		{"egress gateway to the control plane for peers", gateway, controller, 15129, false},
		{"peer gateway to the report", peers, controller, 9094, false},
		{"peer gateway to an exported Service", peers, member, 8080, true},
		{"peer gateway to a pod outside the mesh", peers, tenant, 8080, false},
		{"peer gateway to that of a peer", peers, outside, 15443, true},
		{"peer gateway to the metadata of a node", peers, pod{address: "169.254.169.254"}, 80, false},
		{"peer gateway to DNS", peers, dns, 53, true},
		{"gateway to other metadata", gateway, pod{address: "100.100.100.200"}, 80, false},
	} {
		if got := allowed(t, policies, c.from, c.to, c.port, corev1.ProtocolTCP); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
