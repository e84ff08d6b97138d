package gateway

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// MaxDedicated is how many Gateways of one namespace can have pods of their own. These run in the namespace of the mesh, so no quota of the namespace of
	// the Gateways counts them.
	MaxDedicated = 32
	// MaxDedicatedOfMesh is how many Gateways of all namespaces can have them. The status of the Mesh lists the objects of each.
	MaxDedicatedOfMesh = 512
)

// ReasonTooManyGateways means that a namespace has more than MaxDedicated Gateways, or the mesh more than MaxDedicatedOfMesh.
const ReasonTooManyGateways gatewayv1.ListenerConditionReason = "TooManyGateways"

// Dedicated is a Gateway that has pods of its own.
type Dedicated struct {
	Gateway *catalog.Gateway
	// Ports maps the ports of its Service to those of its pods. There is at least one.
	Ports map[uint16]uint16
}

type dedicatedKey struct{}

// DedicatedGateways returns the Gateways that have pods of their own, the oldest first: those of a class with this mode, in a namespace that may have Gateways,
// without parameters and with a port that can be served, within MaxDedicated and MaxDedicatedOfMesh.
func DedicatedGateways(v *catalog.View) []Dedicated {
	return catalog.Memo(v, dedicatedKey{}, func() []Dedicated {
		var all []Dedicated
		used := map[string]int{}
		for _, g := range v.Gateways() {
			class := v.GatewayClass(g.Class)
			if !class.PerGateway || g.Parameters != "" || !v.MayHaveGateways(g.Name.Namespace, g.Class) {
				continue
			}
			ports, _ := dedicatedPorts(class, g)
			if len(ports) == 0 || used[g.Name.Namespace] == MaxDedicated || len(all) == MaxDedicatedOfMesh {
				continue
			}
			used[g.Name.Namespace]++
			all = append(all, Dedicated{g, ports})
		}
		return all
	})
}

// dedicatedPorts maps the ports of the listeners to those of the pods. Of two that need the same port of the pods, the first listener has it. problems says
// why a port is missing, a sentence.
func dedicatedPorts(class *catalog.GatewayClass, g *catalog.Gateway) (ports map[uint16]uint16, problems map[uint16]string) {
	ports, problems = map[uint16]uint16{}, map[uint16]string{}
	users := map[uint16]uint16{}
	for i := range g.Listeners {
		port := g.Listeners[i].Port
		bind := names.GatewayPodPort(port)
		user, used := users[bind]
		switch {
		case !isSupported(g.Listeners[i].Protocol):
			// acceptListener rejects the protocol first.
		case len(class.Ports) > 0 && !slices.Contains(class.Ports, port):
			problems[port] = fmt.Sprintf("Listeners may not use the port %d: add it to spec.ingressGateway.ports of the Mesh, or use another port.", port)
		case names.IsEnvoyPort(port):
			problems[port] = fmt.Sprintf("The port %d belongs to Envoy, as all from 15000 to 15999: use another port.", port)
		case used && user != port:
			problems[port] = fmt.Sprintf("The pods use one port for the ports %d and %d, because Envoy cannot use ports below 1024: use another port.", user, port)
		default:
			ports[port], users[bind] = bind, port
		}
	}
	return ports, problems
}

// isSupported reports whether listeners can have a protocol.
func isSupported(protocol string) bool {
	return protocol == string(gatewayv1.HTTPProtocolType) || protocol == string(gatewayv1.HTTPSProtocolType) || routesConnections(protocol)
}

// resolveDedicated resolves one Gateway that has pods of its own. It competes with no other one for ports and hosts, and limits count for each.
func resolveDedicated(v *catalog.View, g *catalog.Gateway) Result {
	r := newResolver(v)
	class := v.GatewayClass(g.Class)
	r.ports, r.portProblems = dedicatedPorts(class, g)
	r.dedicated = true
	r.tooMany = class.PerGateway && len(r.ports) > 0 && !slices.ContainsFunc(DedicatedGateways(v), func(d Dedicated) bool { return d.Gateway == g })
	return r.resolve([]*catalog.Gateway{g})
}

// merge returns the result for several groups of Gateways.
func merge(v *catalog.View, results []Result) Result {
	var all Result
	gateways, parents := map[*catalog.Gateway]GatewayStatus{}, map[*catalog.HTTPRoute][]ParentStatus{}
	for _, result := range results {
		all.Listeners, all.Unread = append(all.Listeners, result.Listeners...), append(all.Unread, result.Unread...)
		for _, status := range result.Gateways {
			gateways[status.Gateway] = status
		}
		for _, status := range result.Routes {
			parents[status.Route] = append(parents[status.Route], status.Parents...)
		}
		all.Services = append(all.Services, result.Services...)
	}
	sortListeners(all.Listeners)
	all.Gateways = lists.Map(v.Gateways(), func(g *catalog.Gateway) GatewayStatus { return gateways[g] })
	for _, route := range v.GatewayRoutes() {
		if list := parents[route]; len(list) > 0 {
			all.Routes = append(all.Routes, RouteStatus{Route: route, Parents: list})
		}
	}
	all.Services = lists.UniqueFunc(all.Services, entity.Name.Compare)
	return all
}
