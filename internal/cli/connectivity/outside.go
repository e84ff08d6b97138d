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

// Outside is whether a pod reaches a host outside the mesh.
type Outside struct {
	From catalog.Name
	// Host is a DNS name or an address; empty for any.
	Host string
	Port uint16
	// ExcludedPorts and ExcludedRanges are those that the MeshConfig lets past all sidecars.
	ExcludedPorts  []int
	ExcludedRanges []string
}

// VerifyOutside answers a question about a host outside the mesh.
func (m Mesh) VerifyOutside(ctx context.Context, o Outside) Check {
	host := o.Host
	if host == "" {
		host = "any host"
	}
	title := fmt.Sprintf("Verify if pod %q can access external host %q on port %d", o.From, host, o.Port)
	v := m.Catalog.View()
	return group(title, m.sidecar(ctx, v, "source", o.From), m.wayOut(ctx, v, o))
}

// Names of what passes connections to the outside.
var passing = []item{{listeners, "outbound-listener"}, {chains, "outbound-egress-filter-chain"}, {clusters, "passthrough-outbound"}}

// wayOut verifies that a connection may leave: past the sidecar, or through it.
func (m Mesh) wayOut(ctx context.Context, v *catalog.View, o Outside) Check {
	const title = "Connections to the outside are let through"
	pod, err := m.Pod(ctx, o.From)
	if err != nil {
		return unknown(title, err, "")
	}
	if why := o.past(pod); why != "" {
		return success("%s: %s, so this one does not pass the sidecar", title, why)
	}
	if !v.Settings().Egress {
		return failure(title, "egress is off in mesh "+m.Name+", so a connection to an address that the mesh does not know is refused or reset",
			fmt.Sprintf("set spec.traffic.egress of the Mesh to true, or let port %d past the sidecar by the pod's annotation %s; this version has no Egress policies", o.Port, names.OutboundPortExclusionAnnotation))
	}
	if v.Pod(o.From) == nil {
		return unknown(title, errors.New("the mesh does not know the pod"), "")
	}
	sidecar, err := m.Sidecar(ctx, o.From)
	if err != nil {
		return unknown(title, err, "")
	}
	return group(title+": egress is on in mesh "+m.Name, sidecar.holds(outbound, passing))
}

// past says why a connection is not intercepted; empty when it is.
func (o Outside) past(pod *corev1.Pod) string {
	port := strconv.Itoa(int(o.Port))
	if list := pod.Annotations[names.OutboundPortExclusionAnnotation]; slices.Contains(split(list), port) {
		return "the pod's annotation " + names.OutboundPortExclusionAnnotation + " names port " + port
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
