package ingest

import (
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestSidecarsOfPods checks that an init container that ends is no sidecar, and that a pod with the sidecar has no other one.
func TestSidecarsOfPods(t *testing.T) {
	for name, c := range map[string]struct {
		spec          string
		injected, osm bool
	}{
		"an init container that ends":    {"{initContainers: [{name: envoy, restartPolicy: OnFailure}], containers: []}", false, false},
		"the sidecar and an application": {"{initContainers: [{name: envoy, restartPolicy: Always}], containers: [{name: envoy}]}", true, false},
	} {
		pod := read[corev1.Pod](t, "spec: "+c.spec)
		pod.Labels = map[string]string{names.ProxyUUIDLabel: "1"}
		for _, entry := range []*inventory.Instance{Pod(pod), Pod(StripPod(pod))} {
			if entry.Injected != c.injected || entry.OSMSidecar != c.osm {
				t.Errorf("%s: injected = %t, OSM's sidecar = %t, want %t and %t", name, entry.Injected, entry.OSMSidecar, c.injected, c.osm)
			}
		}
	}
}

// TestPodAddressesAndPorts checks that an address that is none, and the ports of sidecars, are left out.
func TestPodAddressesAndPorts(t *testing.T) {
	entry := Pod(read[corev1.Pod](t, `
spec: {containers: [{name: envoy, ports: [{name: http, containerPort: 81}]}, {name: app, ports: [{name: http, containerPort: 80, protocol: TCP}, {name: dns, containerPort: 53, protocol: UDP}]}]}
status: {podIPs: [{ip: ''}, {ip: '::ffff:10.0.0.1'}]}`))
	expect(t, []netip.Addr{netip.MustParseAddr("10.0.0.1")}, entry.IPs, nil, nil)
	expect(t, map[string]uint16{"http": 80}, entry.Ports, nil, nil)
}

// TestStripPod checks that the copy in the cache has what its readers need, and nothing else that takes memory.
func TestStripPod(t *testing.T) {
	pod := read[corev1.Pod](t, "spec: {containers: [{name: app, image: a, ports: [{containerPort: 81}, {name: http, containerPort: 80}]}]}")
	pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	pod.Annotations = map[string]string{"other": "x"}
	stripped := StripPod(pod)
	if stripped.DeletionTimestamp == nil || stripped.Annotations != nil {
		t.Errorf("the copy has the deletion timestamp %v and the annotations %v, want that of the pod and none", stripped.DeletionTimestamp, stripped.Annotations)
	}
	if ports := stripped.Spec.Containers[0].Ports; len(ports) != 1 || ports[0].Name != "http" {
		t.Errorf("the copy has the ports %+v, want the named one", ports)
	}
}

// TestPodsOfUnreachableNodes distinguishes pods that Kubernetes has marked because their node does not report from those that are not ready. The copy in the cache
// says the same.
func TestPodsOfUnreachableNodes(t *testing.T) {
	for conditions, want := range map[string]bool{
		"[{type: Ready, status: 'False'}, {type: ContainersReady, status: 'True'}]":   true,
		"[{type: Ready, status: 'Unknown'}, {type: ContainersReady, status: 'True'}]": false,
		"[{type: Ready, status: 'True'}, {type: ContainersReady, status: 'True'}]":    false,
		"[{type: Ready, status: 'False'}, {type: ContainersReady, status: 'False'}]":  false,
		"[{type: Ready, status: 'False'}]":                                            false,
		"[]":                                                                          false,
		"[{type: Ready, status: 'False', reason: ReadinessGatesNotReady}, {type: ContainersReady, status: 'True'}]":               false,
		"[{type: Ready, status: 'False'}, {type: ContainersReady, status: 'True'}]\nspec: {readinessGates: [{conditionType: a}]}": false,
	} {
		pod := read[corev1.Pod](t, "status:\n  conditions: "+conditions)
		if got, stripped := Pod(pod).NodeUnreachable, Pod(StripPod(pod)).NodeUnreachable; got != want || stripped != want {
			t.Errorf("%s: %v, and %v in the copy, want %v", conditions, got, stripped, want)
		}
		pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		if Pod(pod).NodeUnreachable {
			t.Errorf("%s: a pod that is being deleted waits for its node", conditions)
		}
	}
}

// TestServicePorts checks fields that Services of clients other than the API server leave out.
func TestServicePorts(t *testing.T) {
	entry, problems := Service(read[corev1.Service](t, `
spec: {clusterIP: 10.1.0.1, ports: [{name: tcp, port: 80, protocol: TCP, appProtocol: ''}]}`))
	expect(t, &inventory.Service{
		Name: x, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.1.0.1")}, Ports: []inventory.Port{{Name: "tcp", Number: 80, TargetPort: 80, Protocol: "tcp"}},
	}, entry, nil, problems)
}

// TestNamespaceWithoutMesh checks that no namespace belongs to a mesh without a name.
func TestNamespaceWithoutMesh(t *testing.T) {
	if entry, _ := Namespace(&corev1.Namespace{}, ""); entry.Monitored {
		t.Error("a namespace without labels belongs to the mesh")
	}
}

// TestIsSlot checks that a slot of a sidecar is an init container with one of two names that keeps running.
func TestIsSlot(t *testing.T) {
	for container, want := range map[string]bool{
		"{name: " + names.SidecarContainer + ", restartPolicy: Always}":    true,
		"{name: " + names.StandbyContainer + ", restartPolicy: Always}":    true,
		"{name: " + names.StandbyContainer + "}":                           false,
		"{name: " + names.StandbyContainer + ", restartPolicy: OnFailure}": false,
		"{name: app, restartPolicy: Always}":                               false,
	} {
		pod := read[corev1.Pod](t, "spec: {containers: [], initContainers: ["+container+"]}")
		if got := IsSlot(pod.Spec.InitContainers[0]); got != want {
			t.Errorf("%s is a slot: %t, want %t", container, got, want)
		}
	}
}
