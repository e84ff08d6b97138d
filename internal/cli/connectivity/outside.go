package connectivity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Outside asks whether a pod can connect to an external host.
type Outside struct {
	From catalog.Name
	// Host is a DNS name or an address. It is empty for any host.
	Host string
	Port uint16
	// ExcludedPorts and ExcludedRanges are the outbound exclusions of the MeshConfig.
	ExcludedPorts  []int
	ExcludedRanges []string
}

// VerifyOutside verifies the connection to an external host.
func (m Mesh) VerifyOutside(ctx context.Context, o Outside) Check {
	host := o.Host
	if host == "" {
		host = "any host"
	}
	title := fmt.Sprintf("Verify if pod %q can access external host %q on port %d", o.From, host, o.Port)
	v := m.Catalog.View()
	return Group(title, m.sidecar(ctx, v, "source", o.From), m.verifyEgress(ctx, v, o))
}

// egressResources lists the resources that pass connections to external hosts.
var egressResources = []item{{listeners, "outbound-listener"}, {chains, "outbound-egress-filter-chain"}, {clusters, "passthrough-outbound"}}

// verifyEgress verifies that a connection to an external host bypasses the sidecar or is allowed by it.
func (m Mesh) verifyEgress(ctx context.Context, v *catalog.View, o Outside) Check {
	const title = "Connections to external hosts are allowed"
	pod, err := m.Pod(ctx, o.From)
	if err != nil {
		return unknown(title, err, "")
	}
	if why := o.bypassReason(pod); why != "" {
		return success("%s: %s, so the connection bypasses the sidecar", title, why)
	}
	if !v.Settings().Egress {
		return failure(title, "egress is disabled in mesh "+m.Name+", so connections to addresses outside the mesh are refused or reset",
			fmt.Sprintf("set spec.traffic.egress of the Mesh to true, or exclude port %d from the sidecar with the pod annotation %s", o.Port, names.OutboundPortExclusionAnnotation))
	}
	if v.Pod(o.From) == nil {
		return unknown(title, errors.New("the pod is not part of the mesh"), "")
	}
	sidecar, err := m.Sidecar(ctx, o.From)
	if err != nil {
		return unknown(title, err, "")
	}
	return Group(title+": egress is enabled in mesh "+m.Name, sidecar.verifyResources(outbound, egressResources))
}

// bypassReason returns why a connection bypasses the sidecar, or "".
func (o Outside) bypassReason(pod *corev1.Pod) string {
	port := strconv.Itoa(int(o.Port))
	if list := pod.Annotations[names.OutboundPortExclusionAnnotation]; slices.Contains(split(list), port) {
		return "the pod annotation " + names.OutboundPortExclusionAnnotation + " contains port " + port
	}
	if slices.Contains(o.ExcludedPorts, int(o.Port)) {
		return "the MeshConfig excludes port " + port
	}
	address, err := netip.ParseAddr(o.Host)
	if err != nil {
		return ""
	}
	for _, text := range slices.Concat(split(pod.Annotations[names.OutboundIPRangeExclusionAnnotation]), o.ExcludedRanges) {
		if r, err := netip.ParsePrefix(text); err == nil && r.Contains(address) {
			return "the range " + text + " is excluded"
		}
	}
	return ""
}

func split(list string) []string {
	var all []string
	for part := range strings.SplitSeq(list, ",") {
		all = append(all, strings.TrimSpace(part))
	}
	return all
}
