package connectivity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Outside is the question whether a pod can connect to an external host.
type Outside struct {
	From entity.Name
	// Host is a DNS name or an address. It is empty for any host.
	Host string
	Port uint16
	// Protocols are those that the application may use. Any one is enough.
	Protocols []inventory.Protocol
	// ExcludedPorts and ExcludedRanges are the outbound exclusions of the MeshConfig.
	ExcludedPorts  []int
	ExcludedRanges []string
}

// VerifyOutside verifies the connection to an external host.
func (m Mesh) VerifyOutside(ctx context.Context, o Outside) diagnosis.Finding {
	title := fmt.Sprintf("Verify if pod %q can access external host %q on port %d", o.From, cmp.Or(o.Host, "any host"), o.Port)
	v := m.Catalog.View()
	return diagnosis.Group(title, m.sidecar(ctx, v, "source", o.From), m.verifyEgress(ctx, v, o))
}

// verifyEgress verifies that a connection to an external host bypasses the sidecar or is allowed by it.
func (m Mesh) verifyEgress(ctx context.Context, v *catalog.View, o Outside) diagnosis.Finding {
	const title = "Connections to external hosts are allowed"
	pod, err := m.Pod(ctx, o.From)
	if err != nil {
		return unknown(title, err, "")
	}
	if why := o.bypassReason(pod); why != "" {
		return success(title, why+", so the connection bypasses the sidecar")
	}
	source := v.Pod(o.From)
	denied := "egress is disabled in mesh " + m.Name + ", so connections to addresses outside the mesh are refused or reset, and no Egress allows this one"
	if v.RequiresEgressGateway(o.From.Namespace) {
		denied = fmt.Sprintf("namespace %s requires the egress gateway, and no Egress allows this connection through it", o.From.Namespace)
	}
	if source == nil && !v.AllowsEgress(o.From.Namespace) {
		return failure(title, denied, o.remedy())
	}
	if source == nil {
		return unknown(title, errors.New("the pod is not part of the mesh"), "")
	}
	allowed := m.allowedCalls(v, source, o)
	switch {
	case len(allowed) == 0:
		return failure(title, denied, o.remedy())
	case len(v.EgressGatewayAddresses()) == 0 && !slices.ContainsFunc(allowed, func(c allowedCall) bool { return !c.gateway }):
		return failure(title, "the Egress uses the egress gateway, and the mesh has none, so requests get status 503", "set spec.egressGateway.mode of the Mesh to Managed")
	}
	sidecar, err := m.Sidecar(ctx, o.From)
	if err != nil {
		return unknown(title, err, "")
	}
	by := lists.Map(allowed, func(call allowedCall) string { return call.by })
	return diagnosis.Group(title+": "+strings.Join(slices.Compact(by), "; "), sidecar.verifyResources(m.expected(v, source)))
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
	return lists.Map(strings.Split(list, ","), strings.TrimSpace)
}

// allowedCall is a call of an external host that is allowed.
type allowedCall struct {
	// by is what allows it.
	by string
	// gateway is true if the connection goes through the egress gateway.
	gateway bool
}

// allowedCalls returns the allowed calls of an external host, at most one for each protocol.
func (m Mesh) allowedCalls(v *catalog.View, source *inventory.Instance, o Outside) []allowedCall {
	var allowed []allowedCall
	for _, call := range o.calls(source) {
		switch got := authz.DecideEgress(v, call); {
		case got.Outcome == authz.PassedThrough:
			allowed = append(allowed, allowedCall{by: "egress is enabled in mesh " + m.Name})
		case got.Outcome == authz.Allowed:
			by := fmt.Sprintf("Egress %s allows %s", strings.Join(got.Policies, ", "), call.Protocol)
			allowed = append(allowed, allowedCall{by: by, gateway: got.Gateway})
		case got.Outcome == authz.Unavailable: // its BackendTLSPolicy cannot be used
		case got.Host != nil:
			by := fmt.Sprintf("Egress %s allows the http requests that match its HTTPRouteGroups", strings.Join(got.Host.Policies, ", "))
			allowed = append(allowed, allowedCall{by: by, gateway: got.Host.HTTPGateway != (entity.Name{})})
		}
	}
	return allowed
}

// calls returns the connections to evaluate, one for each protocol.
func (o Outside) calls(source *inventory.Instance) []authz.EgressRequest {
	return lists.Map(o.Protocols, func(protocol inventory.Protocol) authz.EgressRequest {
		call := authz.EgressRequest{Source: source.Identity(), Port: o.Port, Protocol: protocol, Host: o.Host}
		call.Address, _ = netip.ParseAddr(o.Host)
		if protocol == inventory.ProtocolHTTP {
			call.Method, call.Path = "GET", "/"
		}
		return call
	})
}

func (o Outside) remedy() string {
	where := fmt.Sprintf("exclude port %d from the sidecar with the pod annotation %s", o.Port, names.OutboundPortExclusionAnnotation)
	if o.Host == "" {
		return "create an Egress, set spec.traffic.egress of the Mesh to true, or " + where
	}
	scheme := "tcp"
	if len(o.Protocols) > 0 {
		scheme = string(o.Protocols[0])
	}
	return fmt.Sprintf("create an Egress, as osm explain %s/pod/%s to %s://%s:%d --remedy prints it, set spec.traffic.egress of the Mesh to true, or %s",
		o.From.Namespace, o.From.Name, scheme, o.Host, o.Port, where)
}
