package gatewayapi

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// Validated returns the parents of a route. One with a rule that Envoy would reject is accepted by none of them: proxies get such a rule without
// what is invalid, so the rules of others stay in force.
func Validated(route *catalog.HTTPRoute, parents []gateway.ParentStatus) []gateway.ParentStatus {
	if !slices.ContainsFunc(parents, func(p gateway.ParentStatus) bool { return p.Accepted.OK }) {
		return parents
	}
	err := envoy.ValidateHTTPRoute(route)
	if err == nil {
		return parents
	}
	parents = slices.Clone(parents)
	for i := range parents {
		if parents[i].Accepted.OK {
			parents[i].Accepted = gateway.Verdict{Reason: string(gatewayv1.RouteReasonUnsupportedValue), Message: fmt.Sprintf("Envoy does not accept a part of this route, which is not in force: %v.", err)}
		}
	}
	return parents
}

// NotAccepted returns the parents with a reason why none of them accepts the route. The message of a parent that does not accept it anyway is kept.
func NotAccepted(parents []gateway.ParentStatus, reason, text string) []gateway.ParentStatus {
	parents = slices.Clone(parents)
	for i, p := range parents {
		parents[i].Accepted = gateway.Verdict{Reason: reason, Message: text}
		if !p.Accepted.OK {
			parents[i].Accepted.Message += " " + p.Accepted.Message
		}
	}
	return parents
}
