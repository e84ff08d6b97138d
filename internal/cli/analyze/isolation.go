package analyze

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/isolation"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// dnsPort is the port of name servers, and dnsNamespace where clusters have their own.
	dnsPort, dnsNamespace = 53, "kube-system"
	// dnsCache is the usual address of a cache on the node, which answers instead of the pods.
	dnsCache = "169.254.20.10"
)

// readNetworkPolicies reads the NetworkPolicies of all namespaces.
func (a *analysis) readNetworkPolicies(ctx context.Context, c client.Reader) {
	var list networkingv1.NetworkPolicyList
	if err := c.List(ctx, &list); err != nil {
		a.gap("NetworkPolicies", err)
	}
	a.networkPolicies = list.Items
}

// isolation reports NetworkPolicies that keep sidecars from the control plane or from DNS. All policies that select a pod count together. Between pods, packets
// have the ports of applications, because traffic is redirected inside a pod: policies for incoming traffic need no port of a sidecar.
func (a *analysis) isolation() {
	a.networkPolicies = append(a.networkPolicies, objectsOf[networkingv1.NetworkPolicy](a, "NetworkPolicy")...)
	slices.SortFunc(a.networkPolicies, func(one, other networkingv1.NetworkPolicy) int {
		return cmp.Or(cmp.Compare(one.Namespace, other.Namespace), cmp.Compare(one.Name, other.Name))
	})
	if len(a.networkPolicies) == 0 {
		return
	}
	byNamespace := map[string][]networkingv1.NetworkPolicy{}
	for _, policy := range a.networkPolicies {
		byNamespace[policy.Namespace] = append(byNamespace[policy.Namespace], policy)
	}
	pods := objectsOf[corev1.Pod](a, "Pod")
	controlPlane, dns := a.controlPlaneServers(pods), a.dnsServers(pods)
	cutOff, nameless := pending{}, pending{}
	for i := range pods {
		pod := &pods[i]
		isolating := isolation.Isolating(byNamespace[pod.Namespace], pod.Namespace, pod.Labels)
		if len(isolating) == 0 || !a.hasEnvoy(pod) {
			continue
		}
		if !allowsAny(isolating, controlPlane, isolation.Allow) {
			cutOff.add(isolating, pod)
		}
		if pod.Spec.DNSPolicy != corev1.DNSNone && !allowsAny(isolating, dns, isolation.Allow) && !allowsAny(isolating, dns, isolation.AllowPort) {
			nameless.add(isolating, pod)
		}
	}
	a.reportIsolated(codeNoXDS, cutOff, fmt.Sprintf("%s in namespace %s, TCP port %d: new pods do not become ready, and sidecars that run get no changes",
		names.Controller, a.mesh.Namespace, names.ADSPort))
	a.reportIsolated(codeNoDNS, nameless, fmt.Sprintf("DNS, UDP port %d: new pods do not become ready, because their sidecars do not find the control plane, and applications find no Service", dnsPort))
}

// reportIsolated adds a finding for each set of policies. server is what the pods cannot connect to, with the effect.
func (a *analysis) reportIsolated(code string, isolatedPods pending, server string) {
	for policies, pods := range isolatedPods {
		a.add(code, a.subjectOfPolicy(policies), "%s, and no NetworkPolicy allows them to connect to %s. Allow it as docs/network-policies.md does.", isolated(policies, pods), server)
	}
}

// policyNames are the policies that isolate a pod: their namespace, the name of the first, and the names of the others as text.
type policyNames struct{ namespace, first, others string }

// pending are the pods of findings, by the policies that isolate them.
type pending map[policyNames][]string

func (p pending) add(isolating []networkingv1.NetworkPolicy, pod *corev1.Pod) {
	others := lists.Map(isolating[1:], func(p networkingv1.NetworkPolicy) string { return p.Name })
	key := policyNames{pod.Namespace, isolating[0].Name, lists.Join(others, 3)}
	p[key] = append(p[key], pod.Name)
}

// isolated describes which pods policies isolate.
func isolated(policies policyNames, pods []string) string {
	slices.Sort(pods)
	by := "It isolates "
	if policies.others != "" {
		by = "Together with " + policies.others + ", it isolates "
	}
	return by + output.Count(len(pods), "pod") + " of the mesh for egress (" + lists.Join(pods, 3) + ")"
}

// subjectOfPolicy is the first of the policies. Its annotation suppresses the finding.
func (a *analysis) subjectOfPolicy(policies policyNames) subject {
	s := subject{kind: "NetworkPolicy", namespace: policies.namespace, name: policies.first}
	for i := range a.networkPolicies {
		if p := &a.networkPolicies[i]; p.Namespace == s.namespace && p.Name == s.name {
			s.object = &unstructured.Unstructured{}
			s.object.SetAnnotations(p.Annotations)
		}
	}
	return s
}

func allowsAny(policies []networkingv1.NetworkPolicy, servers []isolation.Server, allow func([]networkingv1.NetworkPolicy, isolation.Server) bool) bool {
	return slices.ContainsFunc(servers, func(s isolation.Server) bool { return allow(policies, s) })
}

// hasEnvoy reports whether a pod of the mesh gets its configuration from the control plane: one with a sidecar, or of a gateway.
func (a *analysis) hasEnvoy(pod *corev1.Pod) bool {
	gateway := pod.Namespace == a.mesh.Namespace && names.IsGateway(pod.Labels[names.AppLabel])
	entry, _ := a.mesh.Loaded.Entries[entity.Ref{Kind: entity.KindPod, Name: entity.Name{Namespace: pod.Namespace, Name: pod.Name}}].(*inventory.Instance)
	return entry != nil && !entry.Finished && !entry.Terminating && (gateway || entry.HasSidecar() && a.view.InMesh(pod.Namespace))
}

// controlPlaneServers are the pods of the control plane, or one like those that the operator creates.
func (a *analysis) controlPlaneServers(pods []corev1.Pod) []isolation.Server {
	server := a.serverIn(a.mesh.Namespace, corev1.ProtocolTCP, names.ADSPort)
	var found []isolation.Server
	for i := range pods {
		if pod := &pods[i]; pod.Namespace == a.mesh.Namespace && pod.Labels[names.AppLabel] == names.Controller {
			found = append(found, withPod(server, pod))
		}
	}
	if len(found) == 0 {
		server.Labels, server.Partial = map[string]string{names.AppLabel: names.Controller}, true
		found = append(found, server)
	}
	return found
}

// dnsServers are the pods behind Services for DNS, and a cache on the node; pods of kube-system if there is no such Service. Pods may have another
// port than 53.
func (a *analysis) dnsServers(pods []corev1.Pod) []isolation.Server {
	var found []isolation.Server
	for _, service := range objectsOf[corev1.Service](a, "Service") {
		for _, port := range service.Spec.Ports {
			if port.Port != dnsPort || port.Protocol != corev1.ProtocolUDP || len(service.Spec.Selector) == 0 {
				continue
			}
			server := a.serverIn(service.Namespace, corev1.ProtocolUDP, dnsPort)
			server.Addresses = addressesOf(service.Spec.ClusterIPs)
			selector := labels.SelectorFromSet(service.Spec.Selector)
			for i := range pods {
				if pod := &pods[i]; pod.Namespace == service.Namespace && selector.Matches(labels.Set(pod.Labels)) {
					behind := withPod(server, pod)
					behind.Ports = append(behind.Ports, targetPort(port, pod))
					found = append(found, behind)
				}
			}
		}
	}
	if len(found) == 0 {
		server := a.serverIn(dnsNamespace, corev1.ProtocolUDP, dnsPort)
		server.Partial = true
		return []isolation.Server{server}
	}
	return append(found, isolation.Server{Addresses: addressesOf([]string{dnsCache}), Protocol: corev1.ProtocolUDP, Ports: []int32{dnsPort}})
}

// serverIn returns a server in a namespace with the labels that are known. Each namespace has its name as one.
func (a *analysis) serverIn(namespace string, protocol corev1.Protocol, port int32) isolation.Server {
	s := isolation.Server{Namespace: namespace, NamespaceLabels: map[string]string{}, Protocol: protocol, Ports: []int32{port}}
	object := a.objects[entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Name: namespace}}]
	if object != nil {
		maps.Copy(s.NamespaceLabels, object.GetLabels())
	}
	s.NamespaceLabels[corev1.LabelMetadataName] = namespace
	return s
}

// withPod returns a server with the labels and addresses of a pod.
func withPod(server isolation.Server, pod *corev1.Pod) isolation.Server {
	server.Labels = pod.Labels
	var ips []string
	for _, ip := range pod.Status.PodIPs {
		ips = append(ips, ip.IP)
	}
	server.Addresses = append(addressesOf(ips), server.Addresses...)
	server.Ports = slices.Clone(server.Ports)
	return server
}

// targetPort returns the port of a pod behind a port of its Service.
func targetPort(port corev1.ServicePort, pod *corev1.Pod) int32 {
	if port.TargetPort.Type == intstr.Int {
		return cmp.Or(port.TargetPort.IntVal, port.Port)
	}
	for _, container := range pod.Spec.Containers {
		for _, named := range container.Ports {
			if named.Name == port.TargetPort.StrVal {
				return named.ContainerPort
			}
		}
	}
	return port.Port
}

func addressesOf(all []string) []netip.Addr {
	var found []netip.Addr
	for _, text := range all {
		if address, err := netip.ParseAddr(text); err == nil {
			found = append(found, address)
		}
	}
	return found
}

// objectsOf returns the objects of a kind of Kubernetes as their type. Those with other content are reported elsewhere.
func objectsOf[T any](a *analysis, kind string) []T {
	var all []T
	for _, object := range a.mesh.Objects {
		var typed T
		if object.GetKind() == kind && runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed) == nil {
			all = append(all, typed)
		}
	}
	return all
}
