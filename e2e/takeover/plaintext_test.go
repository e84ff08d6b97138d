package takeover

import (
	"net"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// marker is in a header of all requests between pods of the mesh.
const marker = "the-marker-of-requests-between-pods"

// capturePlaintext captures the traffic between pods of this machine until the returned function is called, which requires that it was encrypted. Pods that
// are outside of the mesh now do not count: nothing encrypts what they send.
func capturePlaintext(t *testing.T) (stop func()) {
	t.Helper()
	isPod := podsOfTheMesh(t)
	capture, err := lab.StartCapture(isPod, marker)
	must(t, err)
	t.Cleanup(func() { _, _ = capture.Stop() })
	return func() {
		t.Helper()
		seen, err := capture.Stop()
		must(t, err)
		t.Logf("captured %d segments between pods, of which %d begin with a record of TLS", seen.Payloads, seen.Encrypted)
		if len(seen.Plaintext) > 0 || seen.Encrypted == 0 {
			t.Errorf("between pods: %d records of TLS, and in the clear: %q", seen.Encrypted, seen.Plaintext)
		}
	}
}

// podsOfTheMesh returns whether an address is that of a pod that is, or may become, part of the mesh.
func podsOfTheMesh(t *testing.T) func(netip.Addr) bool {
	t.Helper()
	own, err := net.InterfaceAddrs()
	must(t, err)
	var pods corev1.PodList
	must(t, cluster.Client.List(t.Context(), &pods))
	inMesh := map[string]bool{}
	for _, namespace := range members() {
		inMesh[namespace] = true
	}
	other := map[netip.Addr]bool{}
	for _, pod := range pods.Items {
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil && !inMesh[pod.Namespace] {
			other[address] = true
		}
	}
	var network netip.Prefix
	for _, address := range own {
		prefix, err := netip.ParsePrefix(address.String())
		must(t, err)
		other[prefix.Addr()] = true
		if prefix.Contains(gatewayAddress(t)) {
			network = prefix.Masked()
		}
	}
	return func(address netip.Addr) bool { return network.Contains(address) && !other[address] }
}

// gatewayAddress returns the address of a pod.
func gatewayAddress(t *testing.T) netip.Addr {
	t.Helper()
	pod, err := cluster.Pod(t.Context(), outsideNamespace, lab.AppLabel, gateway)
	must(t, err)
	address, err := netip.ParseAddr(pod.Status.PodIP)
	must(t, err)
	return address
}
