package redirect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// verifyTimeout limits the connection of Verify, which does not leave the pod.
const verifyTimeout = 2 * time.Second

// Verify connects to the address in c.Verify, which the rules redirect to the port of the sidecar, and compares the destination that the kernel
// reports there. Some networks replace the address of a Service by that of a pod when an application connects, before the rules apply: the sidecar
// then never sees a Service. Nothing may listen at the port of the sidecar yet, and the caller must not be its user. reached is false if no
// connection arrived, which proves nothing.
func Verify(c Config) (reached bool, err error) {
	if !c.redirectsOutbound(c.Verify) {
		return false, nil
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", names.OutboundPort))
	if err != nil {
		return false, fmt.Errorf("the redirection cannot be verified: %w", err)
	}
	defer listener.Close()
	destinations := make(chan netip.AddrPort, 1)
	go func() { destinations <- acceptDestination(listener) }()
	conn, err := (&net.Dialer{Timeout: verifyTimeout}).Dial("tcp", c.Verify.String())
	if err != nil {
		return false, nil //nolint:nilerr // the control plane may have no pod at the moment, and then some of these networks reject
	}
	defer conn.Close()
	select {
	case seen := <-destinations:
		return seen.IsValid(), compareDestination(c.Verify, seen)
	case <-time.After(verifyTimeout):
		return false, nil
	}
}

// compareDestination returns an error if a network has replaced a destination.
func compareDestination(want, seen netip.AddrPort) error {
	if !seen.IsValid() || seen == want {
		return nil
	}
	return fmt.Errorf("a connection to %s, the address of a Service, arrives as one to %s: the network of the cluster replaces addresses of Services when an application connects, "+
		"so the sidecar cannot apply policies. With Cilium, set socketLB.hostNamespaceOnly to true (bpf-lb-sock-hostns-only in the ConfigMap cilium-config). With the eBPF data plane of Calico, set "+
		"bpfConnectTimeLoadBalancing to Disabled and bpfHostNetworkedNATWithoutCTLB to Enabled in the FelixConfiguration. Then create the pod again", want, seen)
}

// redirectsOutbound reports whether the rules redirect connections of the application to an address, which must have the family of one of the pod's addresses.
func (c Config) redirectsOutbound(to netip.AddrPort) bool {
	address := to.Addr().Unmap()
	contains := func(prefix netip.Prefix) bool { return unmapped(prefix).Contains(address) }
	switch {
	case !to.IsValid(), slices.Contains(c.ExcludeOutboundPorts, to.Port()), slices.ContainsFunc(c.ExcludeOutboundRanges, contains):
		return false
	case len(c.IncludeOutboundRanges) > 0 && !slices.ContainsFunc(c.IncludeOutboundRanges, contains):
		return false
	}
	return slices.ContainsFunc(c.PodIPs, func(ip netip.Addr) bool { return ip.Unmap().Is4() == address.Is4() })
}

// acceptDestination accepts one connection and returns its destination before the redirection. It is not valid if the listener was closed.
func acceptDestination(listener net.Listener) netip.AddrPort {
	conn, err := listener.Accept()
	if err != nil {
		return netip.AddrPort{}
	}
	defer conn.Close()
	destination, _ := originalDestination(conn.(*net.TCPConn)) // not valid after an error
	return destination
}

// originalDestination reads the destination of a redirected connection from the kernel, as Envoy does.
func originalDestination(conn *net.TCPConn) (destination netip.AddrPort, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	var failure error
	err = raw.Control(func(fd uintptr) {
		if local.Is4() {
			destination, failure = originalDestination4(int(fd))
		} else {
			destination, failure = originalDestination6(int(fd))
		}
	})
	return destination, errors.Join(err, failure)
}

// soOriginalDst is the socket option of connection tracking, for both families.
const soOriginalDst = 80

// originalDestination4 reads a sockaddr_in. The result of another option with at least its size carries it.
func originalDestination4(fd int) (netip.AddrPort, error) {
	carrier, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	content := carrier.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(content[4:8])), binary.BigEndian.Uint16(content[2:4])), nil
}

// originalDestination6 reads a sockaddr_in6.
func originalDestination6(fd int) (netip.AddrPort, error) {
	carrier, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	// The port is in the order of the network.
	port := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, carrier.Addr.Port))
	return netip.AddrPortFrom(netip.AddrFrom16(carrier.Addr.Addr), port), nil
}
