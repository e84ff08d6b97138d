package explain

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// leaveOutSplits sets which TrafficSplits the sidecar of the caller does not have on each port.
func (e evaluator) leaveOutSplits(ports []servicePort) {
	if !slices.ContainsFunc(ports, func(p servicePort) bool { return len(e.v.MatchingSplits(p.service.Name)) > 0 }) {
		return
	}
	leftOut := scope.LeftOutSplits(e.v, e.caller)
	for i, p := range ports {
		ports[i].leftOut = leftOut[scope.ServicePort{Service: p.service.Name, Port: p.port.Number}]
	}
}

// matchingSplits are the TrafficSplits with matches of the Service of a port.
func matchingSplits(v *catalog.View, p servicePort) map[catalog.Ref]struct{} {
	splits := map[catalog.Ref]struct{}{}
	for _, split := range v.MatchingSplits(p.service.Name) {
		splits[split.Ref()] = struct{}{}
	}
	return splits
}

// viewOf returns the mesh as the sidecar or gateway of the caller has it for a port.
func (e evaluator) viewOf(p servicePort) *catalog.View {
	if len(p.leftOut) == 0 {
		return e.v
	}
	return e.catalog.ViewWithout(p.leftOut)
}

// leftOut describes the TrafficSplits that select the request of the question, or any request, and that the sidecar of the caller does not have.
func (e evaluator) leftOut(p servicePort) []string {
	if len(p.leftOut) == 0 {
		return nil
	}
	rules := authz.RouteRules(e.v, p.service, p.port)
	if e.question.asksRequest() {
		rules = []authz.RouteRule{authz.MatchRule(rules, e.request(p))}
	}
	var all []string
	for _, rule := range rules {
		if rule.Split == nil {
			continue
		}
		if _, isLeftOut := p.leftOut[rule.Split.Ref()]; isLeftOut {
			all = append(all, fmt.Sprintf("TrafficSplit %s, because the TrafficSplits of namespace %s have more than %d routes, one for each match and backend, in the sidecar of the client: "+remedyOfSplits,
				rule.Split.Name, rule.Split.Name.Namespace, authz.MaxRoutes))
		}
	}
	return all
}
