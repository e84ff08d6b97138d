package redirect

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Config is what differs between pods. The zero value redirects everything that can be redirected.
type Config struct {
	// ExcludeInboundPorts are ports of the pod that clients reach without the sidecar.
	ExcludeInboundPorts []uint16 `json:"excludeInboundPorts,omitempty"`
	// ExcludeOutboundPorts are ports that the application reaches without the sidecar, at every address.
	ExcludeOutboundPorts []uint16 `json:"excludeOutboundPorts,omitempty"`
	// ExcludeOutboundRanges are addresses that the application reaches without the sidecar.
	ExcludeOutboundRanges []netip.Prefix `json:"excludeOutboundRanges,omitempty"`
	// IncludeOutboundRanges, when there are any, are the only addresses that are reached through the sidecar.
	IncludeOutboundRanges []netip.Prefix `json:"includeOutboundRanges,omitempty"`
	// ExcludeInterfaces are network devices whose connections pass by the sidecar in both directions.
	ExcludeInterfaces []string `json:"excludeInterfaces,omitempty"`
	// ProbePorts are ports of the sidecar, besides the fixed ones, that the kubelet's probes reach.
	ProbePorts []uint16 `json:"probePorts,omitempty"`
	// ToPodIP makes the sidecar reach the application at the pod's IPv4 address instead of 127.0.0.1.
	ToPodIP bool `json:"toPodIP,omitempty"`
	// PodIPs are the addresses of the pod; only needed with ToPodIP.
	PodIPs []netip.Addr `json:"-"`
}

// sidecarPorts are never redirected inbound: the sidecar itself serves them.
func sidecarPorts() []uint16 {
	return []uint16{
		names.PrometheusPort, names.LivenessPort, names.ReadinessPort, names.StartupPort, healthcheckPort, names.ReadyPort,
	}
}

// healthcheckPort is where a helper container of OSM answered tcpSocket probes. It stays out as it always did.
const healthcheckPort = 15904

// maxInterfaceName is the longest name the kernel gives a network device.
const maxInterfaceName = 15

func (c Config) validate() error {
	var problems []error
	for _, ports := range [][]uint16{c.ExcludeInboundPorts, c.ExcludeOutboundPorts, c.ProbePorts} {
		if slices.Contains(ports, 0) {
			problems = append(problems, errors.New("port 0 cannot be kept out of the redirection: use ports from 1 to 65535"))
		}
	}
	for _, prefix := range slices.Concat(c.ExcludeOutboundRanges, c.IncludeOutboundRanges) {
		if !prefix.IsValid() {
			problems = append(problems, fmt.Errorf("%s is not an IP range: write an address and a prefix length, for example 10.0.0.0/8", prefix))
		}
	}
	for _, name := range c.ExcludeInterfaces {
		if err := CheckInterface(name); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := c.podIPv4(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// CheckInterface refuses what cannot be the name of a network interface.
func CheckInterface(name string) error {
	if name == "" || len(name) > maxInterfaceName || strings.ContainsAny(name, "/ \t\n") {
		return fmt.Errorf("%q is not the name of a network interface: it has 1 to %d characters, without spaces and slashes", name, maxInterfaceName)
	}
	return nil
}

// podIPv4 is the pod's IPv4 address when it is needed, else the zero address.
func (c Config) podIPv4() (netip.Addr, error) {
	if !c.ToPodIP {
		return netip.Addr{}, nil
	}
	for _, ip := range c.PodIPs {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	return netip.Addr{}, errors.New("the sidecar shall reach the application at the pod's address, but the pod has no IPv4 address: set localProxyMode in the MeshConfig to Localhost")
}

// sorted is a set as a sorted list.
func sorted[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}
