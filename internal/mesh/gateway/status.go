package gateway

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Verdict is the status of a condition, with a reason of the Gateway API.
type Verdict struct {
	OK              bool
	Reason, Message string
}

// GatewayStatus is the status of a Gateway.
type GatewayStatus struct {
	Gateway   *catalog.Gateway
	Accepted  Verdict
	Listeners []ListenerStatus
}

// ListenerStatus is the status of a listener.
type ListenerStatus struct {
	Name                   string
	Accepted, ResolvedRefs Verdict
	// Served is true if clients can connect.
	Served bool
	// AttachedRoutes is the number of routes.
	AttachedRoutes int32
}

// RouteStatus is the status of an HTTPRoute.
type RouteStatus struct {
	Route *catalog.HTTPRoute
	// Parents has those that are Gateways of this mesh.
	Parents []ParentStatus
}

// ParentStatus is the status of a route for one of its parents.
type ParentStatus struct {
	Parent                 catalog.RouteParent
	Accepted, ResolvedRefs Verdict
}

// status returns the status of a Gateway. It is accepted if at least one listener is.
func (g *gatewayState) status() GatewayStatus {
	status := GatewayStatus{Gateway: g.gateway, Accepted: yes(gatewayv1.GatewayReasonAccepted)}
	invalid := 0
	for _, l := range g.listeners {
		l.status.Served, l.status.AttachedRoutes = l.isServed(), int32(len(l.routes)) //nolint:gosec // far below the limit
		if !l.status.Accepted.OK {
			invalid++
			status.Accepted.Message = fmt.Sprintf("Listener %s: %s", l.spec.Name, l.status.Accepted.Message)
		}
		status.Listeners = append(status.Listeners, l.status)
	}
	if invalid > 0 {
		status.Accepted.OK, status.Accepted.Reason = invalid < len(g.listeners), string(gatewayv1.GatewayReasonListenersNotValid)
	}
	return status
}
