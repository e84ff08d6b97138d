package verdict

import (
	"net/netip"
	"slices"
	"testing"

	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Ports of the servers outside the mesh. The first two are HTTP servers.
const (
	outsideWebPort    = 8090
	outsideOtherPort  = 8091
	outsideEchoPort   = 9010
	outsideGreetsPort = 9011
)

var outsidePorts = []uint16{outsideWebPort, outsideOtherPort, outsideEchoPort, outsideGreetsPort}

// outsideAddresses are the addresses of the servers and clients outside the mesh. The first is also that of the control plane.
var outsideAddresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 77, 1, 2}), netip.AddrFrom4([4]byte{10, 77, 1, 3})}

// direction returns the direction of a request.
func (r Request) direction() direction {
	switch {
	case r.From.IsValid():
		return ingress
	case slices.Contains(outsideAddresses, r.To.Addr()):
		return egress
	}
	return ""
}

// serveOutsideServers runs the servers outside the mesh in a pod without a sidecar. They respond with their address and port.
func serveOutsideServers(t *testing.T, pod *podstest.Pod) {
	t.Helper()
	if pod.IP != outsideAddresses[0] {
		t.Fatalf("the pod outside the mesh has the address %s, want %s", pod.IP, outsideAddresses[0])
	}
	pod.NS.IP(t, "address add "+outsideAddresses[1].String()+"/32 dev lo")
	for _, address := range outsideAddresses {
		at := func(port uint16) string { return netip.AddrPortFrom(address, port).String() }
		for _, port := range []uint16{outsideWebPort, outsideOtherPort} {
			pod.ServeHTTPAt(t, at(port), nameOverHTTP(at(port)))
		}
		pod.ServeTCPAt(t, at(outsideEchoPort), nameAfterLine(at(outsideEchoPort)))
		pod.ServeTCPAt(t, at(outsideGreetsPort), nameAtOnce(at(outsideGreetsPort)))
	}
}
