package gateway

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// validated returns the parents of a route. One with a rule that Envoy would reject is accepted by none of them: the gateway gets such a rule without
// what is invalid, so the rules of others stay in force.
func validated(route gateway.RouteStatus) []gateway.ParentStatus {
	if !slices.ContainsFunc(route.Parents, func(p gateway.ParentStatus) bool { return p.Accepted.OK }) {
		return route.Parents
	}
	err := envoy.ValidateHTTPRoute(route.Route)
	if err == nil {
		return route.Parents
	}
	parents := slices.Clone(route.Parents)
	for i := range parents {
		if parents[i].Accepted.OK {
			parents[i].Accepted = gateway.Verdict{Reason: string(gatewayv1.RouteReasonUnsupportedValue), Message: fmt.Sprintf("Envoy does not accept a part of this route, which is not in force: %v.", err)}
		}
	}
	return parents
}
