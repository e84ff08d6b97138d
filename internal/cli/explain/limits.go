package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// limits describes the rate limits of a setting that apply to a protocol.
func limits(setting *upstream.Policy, protocol inventory.Protocol) []string {
	if setting == nil {
		return nil
	}
	by := fmt.Sprintf(" (%s %s)", setting.Kind, setting.Name)
	var all []string
	if protocol.IsHTTP() {
		if r := setting.RequestRate; r != nil {
			all = append(all, fmt.Sprintf("%s for each pod, then status %d%s", rate(r.RateLimit, "request"), r.Status, by))
		}
		for _, route := range setting.Routes {
			all = append(all, fmt.Sprintf("%s for each pod for routes with the path %s, then status %d%s", rate(route.Limit.RateLimit, "request"), route.Path, route.Limit.Status, by))
		}
	}
	if r := setting.GlobalRequests; r != nil && protocol.IsHTTP() {
		all = append(all, fmt.Sprintf("requests to all pods by the %s, then status %d%s", global(r.GlobalLimit), r.Status, by))
	}
	if r := setting.GlobalConnections; r != nil {
		all = append(all, fmt.Sprintf("connections to all pods by the %s%s", global(r.GlobalLimit), by))
	}
	if r := setting.ConnectionRate; r != nil {
		all = append(all, rate(*r, "connection")+" for each pod"+by)
	}
	return all
}

// global describes the server of a limit over all pods.
func global(limit upstream.GlobalLimit) string {
	otherwise := "denied"
	if limit.FailOpen {
		otherwise = "allowed"
	}
	return fmt.Sprintf("rate limit service %s:%d, domain %s, %s without its answer within %s", limit.Address, limit.Port, limit.Domain, otherwise, limit.Timeout)
}

// rate formats a rate limit, such as "5 requests in 1s and a burst of 2".
func rate(r upstream.RateLimit, noun string) string {
	if r.Tokens != 1 {
		noun += "s"
	}
	text := fmt.Sprintf("%d %s in %s", r.Tokens, noun, r.Interval)
	if r.Burst > 0 {
		text += fmt.Sprintf(" and a burst of %d", r.Burst)
	}
	return text
}

// authorizers describes the servers of ExternalAuthorizations that decide about requests in addition to policies.
func authorizers(list []extauthz.Server) []string {
	return lists.Map(list, func(a extauthz.Server) string {
		otherwise := withoutAnswer(a.Policy.FailureModeAllow)
		if a.Service == nil {
			return fmt.Sprintf("the ExtensionService %s of ExternalAuthorization %s cannot be used, so the request %s", a.Policy.Service, a.Policy.Name, otherwise)
		}
		return fmt.Sprintf("the ExtensionService %s must allow the request too; without its answer within %s the request %s (ExternalAuthorization %s)",
			a.Policy.Service, a.Policy.Timeout, otherwise, a.Policy.Name)
	})
}

// logs describes the Telemetries of the sidecars of an identity. Without one, their access log has the default format.
func logs(v *catalog.View, destination identity.ServiceAccount) []string {
	var all []string
	for _, policy := range telemetry.InForce(v, destination) {
		text := "by Telemetry " + policy.Name.String()
		if policy.Filter != "" {
			text += ", if " + policy.Filter
		}
		if policy.Export != (entity.Name{}) {
			text += ", exported to ExtensionService " + policy.Export.String()
		}
		if policy.IsLost(v) {
			text += ", which cannot be used"
		}
		all = append(all, text)
	}
	return slices.Compact(all)
}

// remedyOfLimit is what to do if policies have too many routes.
const remedyOfLimit = "use fewer ports, hosts, matches or sources in the policies of namespace %s whose condition Accepted has the reason TooManyRoutes"

// remedyOfSplits is what to do if TrafficSplits have too many routes.
const remedyOfSplits = "use fewer ports, matches or backends in those whose condition Accepted has the reason TooManyRoutes"

// deniedPorts returns the ports that deny all requests of the mesh, because the policies for their pods have too many routes.
func deniedPorts(e evaluator, ports []servicePort) []diagnosis.Finding {
	var missing []diagnosis.Finding
	for _, p := range ports {
		for _, d := range e.destinations(p) {
			if scope.DeniesAll(e.v, d) {
				do := fmt.Sprintf(remedyOfLimit, d.Identity.Namespace)
				if e.v.Permissive(d.Identity.Namespace) {
					do = "use fewer ports in the Services of these pods"
				}
				missing = append(missing, diagnosis.Fail(do, "port %d of pods of %s denies all requests of the mesh, because all ports have more than %d routes and clients",
					d.Port, d.Identity, authz.MaxRoutes))
			}
		}
	}
	return slices.CompactFunc(missing, diagnosis.Finding.Equal)
}

// denyBeyondLimit makes an allowed candidate one that the sidecar of its destination denies, if the port has too many routes.
func denyBeyondLimit(e evaluator, p servicePort, candidate *Candidate) {
	p.only = identity.ServiceAccount(nameOf(candidate.Destination))
	if !candidate.isAllowed() {
		return
	}
	if denied := deniedPorts(e, []servicePort{p}); len(denied) > 0 {
		candidate.deny(authz.Unavailable, "status 503", denied[0].Message+": "+denied[0].Remedy)
	}
}

// denyIngress makes the candidate one to a port beyond the route limit.
func (candidate *Candidate) denyIngress(namespace string) {
	candidate.deny(authz.Reset, "the connection is closed",
		fmt.Sprintf("at most %d matches and clients for all ports of the pods: "+remedyOfLimit, authz.MaxRoutes, namespace))
}

// isForwarded returns false if the egress gateway does not have the destination of an allowed call, because the Egresses of a namespace have too
// many routes.
func isForwarded(v *catalog.View, a authz.EgressAnswer, r authz.EgressRequest) bool {
	if !a.Gateway {
		return true
	}
	var limit authz.RouteLimit
	destinations := authz.GatewayDestinations(v, &limit)
	isLimited := slices.ContainsFunc(limit.Limited(), func(policy entity.Ref) bool { return slices.Contains(a.Policies, policy.Name.String()) })
	return !isLimited || slices.ContainsFunc(destinations, func(d authz.GatewayDestination) bool {
		return slices.Contains(a.Policies, d.Policy.String()) && d.Host == strings.ToLower(r.Host) && d.Port == r.Port && d.Protocol == r.Protocol
	})
}

// denyForwarding makes the candidate one to a destination that the egress gateway does not have.
func (candidate *Candidate) denyForwarding(r authz.EgressRequest) {
	namespace := r.Source.Namespace
	candidate.deny(authz.Unavailable, response(authz.Unavailable, r.Protocol),
		fmt.Sprintf("the destination in the egress gateway: the Egresses of namespace %s have more than %d routes and clients there: "+remedyOfLimit,
			namespace, authz.MaxRoutes, namespace))
}

// limitedEgress describes why destinations outside the mesh may be missing in the sidecar of a client; nil if all are there.
func limitedEgress(v *catalog.View, client identity.ServiceAccount) []diagnosis.Finding {
	var limit authz.RouteLimit
	authz.EgressPortsWithin(v, client, &limit)
	if len(limit.Limited()) == 0 {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Fail(fmt.Sprintf(remedyOfLimit, client.Namespace),
		"the Egresses of %s have more than %d hosts, ranges and routes, so its sidecar does not have all", client, authz.MaxRoutes)}
}

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
func matchingSplits(v *catalog.View, p servicePort) map[entity.Ref]struct{} {
	splits := map[entity.Ref]struct{}{}
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
	return e.v.Without(p.leftOut)
}

// leftOut describes the TrafficSplits that select the request of the question, or any request, and that the sidecar of the caller does not have.
func (e evaluator) leftOut(p servicePort) []string {
	if len(p.leftOut) == 0 {
		return nil
	}
	rules := authz.RouteRules(e.v, e.caller.Namespace, p.service, p.port)
	if e.question.hasRequest() {
		rules = []authz.RouteRule{authz.MatchRule(rules, e.request(p))}
	}
	var all []string
	for _, rule := range rules {
		if rule.Split == nil {
			continue
		}
		if _, isLeftOut := p.leftOut[rule.Split.Ref()]; isLeftOut {
			all = append(all, fmt.Sprintf("TrafficSplit %s, because the TrafficSplits of namespace %s have more than %d routes, one for each match and backend, in the sidecar of the client: "+remedyOfSplits,
				rule.Split.Name, rule.Split.Name.Namespace, scope.MaxSplitRoutes(e.v, e.caller, rule.Split.Name.Namespace)))
		}
	}
	return all
}
