package takeover

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
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
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(end)
	capture, err := lab.StartCapture(podsOfTheMesh(ctx, t), marker)
	lab.Must(t, err)
	t.Cleanup(func() { _, _ = capture.Stop() })
	return func() {
		t.Helper()
		seen, err := capture.Stop()
		lab.Must(t, err)
		t.Logf("captured %d segments between pods, of which %d begin with a record of TLS", seen.Payloads, seen.Encrypted)
		if len(seen.Plaintext) > 0 || seen.Encrypted == 0 {
			t.Errorf("between pods: %d records of TLS, and in the clear: %q", seen.Encrypted, seen.Plaintext)
		}
	}
}

// podsOfTheMesh returns whether an address is that of a pod that is, or may become, part of the mesh. It follows the other pods, such as those of control planes,
// until the context ends.
func podsOfTheMesh(ctx context.Context, t *testing.T) func(netip.Addr) bool {
	t.Helper()
	own, err := net.InterfaceAddrs()
	lab.Must(t, err)
	others := &otherPods{addresses: map[netip.Addr]bool{}}
	var network netip.Prefix
	for _, address := range own {
		prefix, err := netip.ParsePrefix(address.String())
		lab.Must(t, err)
		others.addresses[prefix.Addr()] = true
		if prefix.Contains(gatewayAddress(t)) {
			network = prefix.Masked()
		}
	}
	lab.Must(t, others.read(ctx))
	go every(ctx, podInterval, func() { _ = others.read(ctx) }) // it is read again
	return func(address netip.Addr) bool { return network.Contains(address) && !others.has(address) }
}

// otherPods are the addresses of pods that never become part of the mesh, and of this machine.
type otherPods struct {
	mu        sync.Mutex
	addresses map[netip.Addr]bool
}

// read adds the pods of the moment.
func (o *otherPods) read(ctx context.Context) error {
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, pod := range pods.Items {
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil && !slices.Contains(members(), pod.Namespace) {
			o.addresses[address] = true
		}
	}
	return nil
}

func (o *otherPods) has(address netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addresses[address]
}

// gatewayAddress returns the address of a pod.
func gatewayAddress(t *testing.T) netip.Addr {
	t.Helper()
	pod, err := cluster.Pod(t.Context(), outsideNamespace, lab.AppLabel, gateway)
	lab.Must(t, err)
	address, err := netip.ParseAddr(pod.Status.PodIP)
	lab.Must(t, err)
	return address
}
