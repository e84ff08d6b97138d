package connectivity

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// outsideWay is a way to an external host that is allowed.
type outsideWay struct {
	// by is what allows it, and desired what the sidecar needs for it.
	by      string
	desired []item
	// gateway is true if the connection goes through the egress gateway.
	gateway bool
}

// waysOut returns the allowed ways to an external host, at most one for each protocol.
func (m Mesh) waysOut(v *catalog.View, source *catalog.Pod, o Outside) []outsideWay {
	var ways []outsideWay
	for _, call := range o.calls(source) {
		got, host := authz.DecideEgress(v, call), hostOf(v, call)
		switch {
		case got.Outcome == authz.PassedThrough:
			ways = append(ways, outsideWay{by: "egress is enabled in mesh " + m.Name, desired: passthroughResources})
		case got.Outcome == authz.Allowed:
			by := fmt.Sprintf("Egress %s allows %s", strings.Join(got.Policies, ", "), call.Protocol)
			ways = append(ways, outsideWay{by: by, desired: m.egressItems(v, source, o), gateway: got.Gateway})
		case call.Protocol == catalog.ProtocolHTTP && host.HTTP:
			by := fmt.Sprintf("Egress %s allows the http requests that match its HTTPRouteGroups", strings.Join(host.Policies, ", "))
			ways = append(ways, outsideWay{by: by, desired: m.egressItems(v, source, o), gateway: host.HTTPGateway != (catalog.Name{})})
		}
	}
	return ways
}

// hostOf returns what policies allow for the host of a call.
func hostOf(v *catalog.View, call authz.EgressRequest) authz.EgressHost {
	for _, port := range authz.EgressPorts(v, call.Source) {
		for _, host := range port.Hosts {
			if port.Number == call.Port && host.Host == strings.ToLower(call.Host) {
				return host
			}
		}
	}
	return authz.EgressHost{}
}

// calls returns the connections to evaluate, one for each protocol.
func (o Outside) calls(source *catalog.Pod) []authz.EgressRequest {
	var list []authz.EgressRequest
	for _, protocol := range o.Protocols {
		call := authz.EgressRequest{Source: source.Identity(), Port: o.Port, Protocol: protocol, Host: o.Host}
		call.Address, _ = netip.ParseAddr(o.Host)
		if protocol == catalog.ProtocolHTTP {
			call.Method, call.Path = "GET", "/"
		}
		list = append(list, call)
	}
	return list
}

// egressItems returns the resources for the port of an external host.
func (m Mesh) egressItems(v *catalog.View, source *catalog.Pod, o Outside) []item {
	listener, config := fmt.Sprintf("egress_%d", o.Port), fmt.Sprintf("rds-egress.%d", o.Port)
	of := map[string]part{resource.ListenerType: listeners, resource.RouteType: routes, resource.ClusterType: clusters}
	desired := []string{listener, config, fmt.Sprint(o.Port), fmt.Sprintf("%s:%d", strings.ToLower(o.Host), o.Port)}
	var all []item
	for _, r := range envoy.Build(scope.Build(v, m.TrustDomain, scope.KeyFor(v, source))) {
		if kind, known := of[r.TypeURL]; known && slices.Contains(desired, r.Name) {
			all = append(all, item{kind, r.Name})
		}
	}
	return all
}

func (o Outside) deniedReason(mesh string) string {
	return "egress is disabled in mesh " + mesh + ", so connections to addresses outside the mesh are refused or reset, and no Egress allows this one"
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
