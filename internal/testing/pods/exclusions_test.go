package pods_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestExclusions applies lists of the MeshConfig and of annotations to real connections. Excluded ones bypass a sidecar that
// denies everything else.
func TestExclusions(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	outside := n.Bare(t)
	for _, port := range []uint16{7000, 7001, 7002, 7039} {
		for _, host := range []string{outside.IP.String(), outside.IP6.String()} {
			serveLines(outside.NS.Listen(t, nstest.Address(host, port)), "outside\n")
		}
	}
	var many []string
	for port := 7002; port < 7040; port++ {
		many = append(many, fmt.Sprint(port))
	}
	var settings configv1alpha2.MeshConfigSpec
	settings.Traffic.OutboundPortExclusionList = []int{7001}
	settings.Traffic.InboundPortExclusionList = []int{9090}
	_, ports := injected(t, n, manifest("ports", map[string]string{
		"outbound-port-exclusion-list": strings.Join(many, ", "), "inbound-port-exclusion-list": "9091",
	}), settings)
	passes(t, ports, outside, map[uint16]bool{7000: false, 7001: true, 7002: true, 7039: true})
	for _, port := range []uint16{9090, 9091, 9092} {
		serveLines(ports.NS.Listen(t, nstest.Address("0.0.0.0", port)), "application\n")
		if got := greeting(t, outside, nstest.Address(ports.IP.String(), port)); (got == "application\n") != (port != 9092) {
			t.Errorf("port %d of the pod sends %q to an outside client: 9090 and 9091 are excluded, 9092 is not", port, got)
		}
	}

	_, excluded := injected(t, n, manifest("excluded", map[string]string{
		"outbound-ip-range-exclusion-list": outside.IP.String() + "/32, " + outside.IP6.String() + "/128",
	}), configv1alpha2.MeshConfigSpec{})
	passes(t, excluded, outside, map[uint16]bool{7000: true, 7001: true})

	settings = configv1alpha2.MeshConfigSpec{}
	settings.Traffic.OutboundIPRangeInclusionList = []string{"10.96.0.0/16"}
	_, included := injected(t, n, manifest("included", nil), settings)
	passes(t, included, outside, map[uint16]bool{7000: true})
	_, both := injected(t, n, manifest("both", map[string]string{"outbound-ip-range-inclusion-list": "10.77.0.0/16,fd77::/16"}), settings)
	passes(t, both, outside, map[uint16]bool{7000: false})

	settings = configv1alpha2.MeshConfigSpec{}
	// The device of the fifth pod after the outside one, because a network numbers its devices.
	settings.Traffic.NetworkInterfaceExclusionList = []string{"pod6"}
	_, device := injected(t, n, manifest("device", nil), settings)
	passes(t, device, outside, map[uint16]bool{7000: true})
}

func manifest(name string, annotations map[string]string) string {
	text := "metadata:\n  name: " + name + "\n  namespace: shop\n  annotations:\n    example.com/owner: somebody\n"
	for key, value := range annotations {
		text += fmt.Sprintf("    openservicemesh.io/%s: %q\n", key, value)
	}
	return text + "spec: {containers: [{name: app}]}\n"
}

// passes connects to outside ports over both families.
func passes(t *testing.T, from, outside *pods.Pod, want map[uint16]bool) {
	t.Helper()
	for port, pass := range want {
		for _, host := range []string{outside.IP.String(), outside.IP6.String()} {
			if got := greeting(t, from, nstest.Address(host, port)); (got == "outside\n") != pass {
				t.Errorf("%s receives %q from port %d of %s, want a bypass of the sidecar: %t", from.IP, got, port, host, pass)
			}
		}
	}
}

// greeting returns the text that a server sends first, or the error.
func greeting(t *testing.T, from *pods.Pod, address string) string {
	t.Helper()
	conn, err := from.Dial(t, address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	buffer := make([]byte, 64)
	size, err := conn.Read(buffer)
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return string(buffer[:size])
}
