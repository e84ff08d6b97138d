package redirect

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Config holds the exclusions of one pod. The zero value redirects all TCP traffic that can be redirected.
type Config struct {
	// ExcludeInboundPorts are ports of the pod that clients reach directly.
	ExcludeInboundPorts []uint16 `json:"excludeInboundPorts,omitempty"`
	// ExcludeOutboundPorts are ports that the application reaches directly, at every address.
	ExcludeOutboundPorts []uint16 `json:"excludeOutboundPorts,omitempty"`
	// ExcludeOutboundRanges are addresses that the application reaches directly.
	ExcludeOutboundRanges []netip.Prefix `json:"excludeOutboundRanges,omitempty"`
	// IncludeOutboundRanges, if not empty, limits the redirection to these destination addresses.
	IncludeOutboundRanges []netip.Prefix `json:"includeOutboundRanges,omitempty"`
	// ExcludeInterfaces are network interfaces whose connections bypass the sidecar in both directions.
	ExcludeInterfaces []string `json:"excludeInterfaces,omitempty"`
	// ProbePorts are additional ports of the sidecar for the kubelet's probes.
	ProbePorts []uint16 `json:"probePorts,omitempty"`
	// ToPodIP makes the sidecar connect to the application at the pod's IPv4 address instead of 127.0.0.1.
	ToPodIP bool `json:"toPodIP,omitempty"`
	// RedirectDNS redirects connections to Resolvers too.
	RedirectDNS bool `json:"redirectDNS,omitempty"`
	// Verify is the address and a port of a Service of the control plane, for the function of the same name. Without one, nothing is verified.
	Verify netip.AddrPort `json:"verify,omitzero"`
	// Resolvers are the name servers of the pod. The application reaches their port 53 directly, as it does over UDP, which is not
	// redirected: clients repeat a query over TCP if the answer was truncated.
	Resolvers []netip.Addr `json:"-"`
	// PodIPs are the addresses of the pod; only needed with ToPodIP and Verify.
	PodIPs []netip.Addr `json:"-"`
}

// dnsPort is the port of name servers.
const dnsPort = 53

// maxInterfaceName is the longest name that the kernel accepts for a network interface, in bytes.
const maxInterfaceName = 15

func (c Config) validate() error {
	var problems []error
	for _, ports := range [][]uint16{c.ExcludeInboundPorts, c.ExcludeOutboundPorts, c.ProbePorts} {
		if slices.Contains(ports, 0) {
			problems = append(problems, errors.New("port 0 cannot be excluded from the redirection: use ports from 1 to 65535"))
		}
	}
	for _, prefix := range slices.Concat(c.ExcludeOutboundRanges, c.IncludeOutboundRanges) {
		if !prefix.IsValid() {
			problems = append(problems, fmt.Errorf("%s is not an IP range: write an address and a prefix length, for example 10.0.0.0/8", prefix))
		}
	}
	for _, name := range c.ExcludeInterfaces {
		if err := ValidateInterface(name); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := c.podIPv4(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// ValidateInterface rejects a name that no network interface can have.
func ValidateInterface(name string) error {
	if name == "" || len(name) > maxInterfaceName || strings.ContainsAny(name, "/ \t\n") {
		return fmt.Errorf("%q is not the name of a network interface: it has 1 to %d characters, without spaces and slashes", name, maxInterfaceName)
	}
	return nil
}

// podIPv4 returns the pod's IPv4 address if ToPodIP needs it, else the zero address.
func (c Config) podIPv4() (netip.Addr, error) {
	if !c.ToPodIP {
		return netip.Addr{}, nil
	}
	for _, ip := range c.PodIPs {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	return netip.Addr{}, errors.New("localProxyMode is PodIP, but the pod has no IPv4 address: set localProxyMode in the MeshConfig to Localhost")
}

// sorted returns the values in order, without duplicates.
func sorted[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// disjoint returns the prefixes of one address family, sorted, without those that another one contains. The kernel
// rejects overlapping elements in a set.
func disjoint(prefixes []netip.Prefix, v6 bool) []netip.Prefix {
	var family []netip.Prefix
	for _, p := range prefixes {
		if p = unmapped(p); p.Addr().Is6() == v6 {
			family = append(family, p.Masked())
		}
	}
	// Among prefixes with the same first address, the wider one sorts first.
	slices.SortFunc(family, netip.Prefix.Compare)
	var kept []netip.Prefix
	for _, p := range family {
		if len(kept) == 0 || !kept[len(kept)-1].Overlaps(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// unmapped converts an IPv4-mapped IPv6 range (::ffff:10.0.0.0/104) into the IPv4 range.
func unmapped(p netip.Prefix) netip.Prefix {
	const mappedBits = 96
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}

// lastOf returns the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
