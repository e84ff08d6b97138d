package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// evaluateIngress answers a question of a client without a sidecar: it reaches a port by an IngressBackend, or by the ingress gateway.
func (m Mesh) evaluateIngress(ctx context.Context, v *catalog.View, q Question, from client) (*Answer, error) {
	to, err := m.resolve(ctx, v, q.To, false)
	if err != nil {
		return nil, err
	}
	a := m.newAnswer(v, q, from.what, to.what)
	a.FromOutside = true
	if left := slices.Concat(from.remaining, m.remainingSidecars(to)); len(left) > 0 {
		a.Missing = left
		return a, nil
	}
	if !from.gatewayPods && m.isOutside(v, to) {
		a.Note, a.Allowed = "Neither of them has a sidecar of mesh "+m.Name+", so its policies do not apply.", true
		return a, nil
	}
	a.Missing = m.membership(v, to, to)
	ports, err := servicePorts(v, to, q.To.Port)
	if err != nil {
		return nil, err
	}
	if len(ports) == 0 && len(a.Missing) == 0 {
		a.Missing = append(a.Missing, m.missingPort(v, to))
	}
	everyAddress := m.addIngressCandidates(v, q, from, ports, a)
	m.addHints(v, a.Candidates)
	a.setVerdict()
	// A client chooses its candidate, so one is enough. Its pods do not choose their addresses.
	a.Allowed, a.Partly = (a.Allowed || a.Partly) && everyAddress, (a.Allowed || a.Partly) && !everyAddress
	if !a.Allowed && len(a.Missing) == 0 {
		if !q.WithoutRemedy && !isRejected(v, q, ports) {
			a.Remedy, a.RemedySuffices = m.remedyFromOutside(v, q, from, ports)
		}
		a.Missing = append(a.Missing, from.missing...)
		if from.isPods && !a.Partly {
			a.requireSidecar()
		}
	}
	return a, nil
}

// requireSidecar makes a sidecar of the client what the candidates to sidecars lack.
func (a *Answer) requireSidecar() {
	for i := range a.Candidates {
		if a.Candidates[i].Gateway == "" {
			a.Candidates[i].Missing = "a sidecar of the client"
		}
	}
}

// isRejected returns true for a request that the gateway and sidecars reject whatever policies allow.
func isRejected(v *catalog.View, q Question, ports []servicePort) bool {
	return q.hasRequest() && !slices.ContainsFunc(ports, func(p servicePort) bool {
		_, err := authz.NormalizePath(authz.Request{Path: q.Path, Headers: q.Headers}, v.DecodesSlashes(p.service.Name))
		return err == nil
	})
}

// addIngressCandidates adds the candidates to the ports. It returns false if a candidate that is allowed for one address of the client is denied for another,
// and there is no other candidate.
func (m Mesh) addIngressCandidates(v *catalog.View, q Question, from client, ports []servicePort, a *Answer) bool {
	everyAddress, some := false, false
	for _, p := range ports {
		direct := m.directCandidates(v, q, from, p)
		all := !slices.ContainsFunc(direct, func(w Candidate) bool { return !w.isAllowed() })
		some = some || slices.ContainsFunc(direct, Candidate.isAllowed)
		byGateway := m.gatewayCandidates(v, q, p)
		everyAddress = everyAddress || all && len(direct) > 0 || slices.ContainsFunc(byGateway, Candidate.isAllowed)
		a.Candidates = append(append(a.Candidates, direct...), byGateway...)
		if from.gatewayPods && len(byGateway) == 0 {
			a.Candidates = append(a.Candidates, unroutedCandidate(p))
		}
	}
	return everyAddress || !some
}

// directCandidates are the candidates to the sidecars of the destination, without those that repeat another: one for each address of the client.
func (m Mesh) directCandidates(v *catalog.View, q Question, from client, p servicePort) []Candidate {
	if from.gatewayPods {
		return nil
	}
	var candidates []Candidate
	for _, address := range from.addressesOrAny() {
		candidate := ingressCandidate(v, q, client{address: address, gateway: from.gateway}, p)
		if candidate.isAllowed() && scope.DeniesOutside(v, p.service.Name, v.TargetPort(p.service, p.port)) {
			candidate.denyIngress(p.service.Name.Namespace)
		}
		if !slices.ContainsFunc(candidates, func(w Candidate) bool { return w.Outcome == candidate.Outcome && w.Missing == candidate.Missing }) {
			candidates = append(candidates, candidate)
		}
	}
	return candidates
}

// unroutedCandidate is the candidate of the ingress gateway to a port that no HTTPRoute names.
func unroutedCandidate(p servicePort) Candidate {
	return p.candidate(authz.NotFound, "status 404 of the ingress gateway",
		fmt.Sprintf("an HTTPRoute of a Gateway of the mesh with the backend %s port %d", p.service.Name, p.port.Number))
}

// ingressCandidate is the candidate to the sidecar of the destination.
func ingressCandidate(v *catalog.View, q Question, from client, p servicePort) Candidate {
	target := v.TargetPort(p.service, p.port)
	got := authz.DecideIngress(v, authz.IngressRequest{
		Service: p.service.Name, TargetPort: target, Address: from.address, Gateway: from.gateway, Method: q.Method, Path: q.Path,
		Headers: withHost(q.Headers, p.host()),
	})
	candidate := p.candidate(got.Outcome, ingressResponse(got), got.Missing)
	if got.Outcome != authz.Allowed {
		return candidate
	}
	candidate.Policies = []string{got.Policy.Name.String()}
	for _, account := range v.ServiceIdentities(p.service.Name) {
		servers := authz.AuthorizersOf(v, account, inventory.ProtocolHTTP)
		candidate.Authorizer, candidate.Authorizers = authorizer(servers.Mesh), append(candidate.Authorizers, authorizers(servers.Servers)...)
	}
	candidate.Authorizers = lists.Unique(candidate.Authorizers)
	return candidate
}

// ingressResponse describes the response that the client gets, and what the policy requires of it.
func ingressResponse(a authz.IngressAnswer) string {
	switch a.Outcome {
	case authz.Reset:
		return "the connection is closed"
	case authz.NotFound:
		return "status 404"
	case authz.BadRequest:
		return "status 400"
	}
	text := fmt.Sprintf("it reaches the application on port %d of the pods", a.Port.TargetPort)
	if !a.Policy.AnyAddress() {
		var sources []string
		for _, g := range a.Policy.Gateways {
			sources = append(sources, "Service "+g.String())
		}
		for _, p := range a.Policy.Prefixes {
			sources = append(sources, p.String())
		}
		text += ", from " + strings.Join(sources, ", ")
	}
	switch {
	case a.Port.TLS && a.Port.SkipClientCertificate:
		text += ", with TLS"
	case a.Port.TLS:
		text += ", with TLS and a certificate of the mesh"
		if len(a.Policy.Principals) > 0 {
			text += " for " + strings.Join(a.Policy.Principals, " or ")
		}
	}
	if len(a.Port.ServerNames) > 0 {
		text += ", for the server name " + strings.Join(a.Port.ServerNames, " or ")
	}
	return text
}

// gatewayCandidates are the candidates through the ingress gateway of the mesh. It applies no TrafficSplits with matches.
func (m Mesh) gatewayCandidates(v *catalog.View, q Question, p servicePort) []Candidate {
	var candidates []Candidate
	p.leftOut = matchingSplits(v, p)
	path, ambiguous := authz.PathAsSent(authz.Request{Path: q.Path, Headers: q.Headers})
	_, rejected := authz.NormalizePath(authz.Request{Path: q.Path, Headers: q.Headers}, false)
	for _, l := range gateway.Resolve(v).Listeners {
		for _, host := range l.Hosts {
			forwards := ambiguous == nil && slices.ContainsFunc(host.Rules, func(r gateway.Rule) bool { return r.DecodesSlashes(v) })
			if q.hasRequest() && rejected != nil && !forwards {
				candidates = append(candidates, m.rejectedCandidate(l, host, p, rejected)...)
				continue
			}
			for _, rule := range rulesFor(host.Rules, q, path) {
				if !leadsTo(rule, p) {
					continue
				}
				if q.hasRequest() && rejected != nil && !rule.DecodesSlashes(v) {
					candidates = append(candidates, m.rejectedCandidate(l, gateway.Host{Rules: []gateway.Rule{rule}}, p, rejected)...)
					continue
				}
				e := evaluator{v: v, question: q, caller: v.GatewayAccount(names.IngressGateway)}
				denied := rule.IsDenied(v)
				for _, candidate := range e.candidatesFor(p) {
					candidate.Gateway = describeRule(l, host, rule)
					denyBeyondLimit(e, p, &candidate)
					if l.RoutesConnections() {
						candidate.closedByGateway(denied)
					} else {
						candidate.answerOfGateway(denied)
					}
					if rule.Rule.Unsupported != "" {
						candidate.Outcome, candidate.Response = string(authz.Unavailable), "status 500"
						candidate.Missing = "a rule that the gateway supports: " + rule.Rule.Unsupported
					}
					m.denyUnprogrammed(l, &candidate)
					candidates = append(candidates, candidate)
				}
			}
		}
	}
	return candidates
}

// leadsTo reports whether a rule sends requests to a port.
func leadsTo(rule gateway.Rule, p servicePort) bool {
	return slices.ContainsFunc(rule.Backends, func(b gateway.Backend) bool {
		return b.Service != nil && b.Service.Name == p.service.Name && b.Port.Number == p.port.Number && b.Weight > 0
	})
}

// rejectedCandidate is the candidate of a request that the gateway rejects before it compares rules; none if no rule of the host leads to the port.
func (m Mesh) rejectedCandidate(l gateway.Listener, host gateway.Host, p servicePort, reason error) []Candidate {
	i := slices.IndexFunc(host.Rules, func(rule gateway.Rule) bool { return leadsTo(rule, p) })
	if i < 0 {
		return nil
	}
	candidate := p.candidate(authz.BadRequest, "status 400", reason.Error())
	candidate.Gateway = describeRule(l, host, host.Rules[i])
	m.denyUnprogrammed(l, &candidate)
	return []Candidate{candidate}
}

// answerOfGateway replaces what a sidecar would answer where the gateway has no route to the destination.
func (candidate *Candidate) answerOfGateway(denied bool) {
	switch authz.Outcome(candidate.Outcome) {
	case authz.Refused, authz.Reset, authz.PassedThrough:
	case authz.Unavailable: // without a request in the question, the answer depends on it
		if !denied {
			return
		}
	default:
		return
	}
	if denied {
		candidate.Outcome, candidate.Response = string(authz.Forbidden), "status 403 of the gateway: no policy allows the ingress gateway to call this service"
		return
	}
	candidate.Outcome, candidate.Response = string(authz.Unavailable), "status 503"
}

// closedByGateway replaces what a sidecar would do where the gateway may connect to no backend of a route of connections: there is no answer.
func (candidate *Candidate) closedByGateway(denied bool) {
	if denied {
		candidate.Outcome, candidate.Response = string(authz.Reset), "the gateway closes the connection: no policy allows it to call this service"
	}
}

// denyUnprogrammed makes the candidate one to a listener that the gateway does not serve, by the conditions of the Gateway.
func (m Mesh) denyUnprogrammed(l gateway.Listener, candidate *Candidate) {
	if m.Unprogrammed == nil {
		return
	}
	if reason := m.Unprogrammed(l.Gateway, l.Name); reason != "" {
		candidate.deny(authz.Refused, "the connection is refused, because the listener is not programmed", "the listener "+l.Name+": "+reason)
	}
}

// rulesFor are the rules that may apply to the request of a question with a normalized path, or all. Headers and parameters of matches are not
// compared.
func rulesFor(rules []gateway.Rule, q Question, path string) []gateway.Rule {
	if !q.hasRequest() {
		return rules
	}
	var found []gateway.Rule
	for _, rule := range rules {
		if rule.Match.Method != "" && rule.Match.Method != q.Method || !authz.MatchesPath(rule.Match, path) {
			continue
		}
		found = append(found, rule)
		if len(rule.Match.Headers)+len(rule.Match.Query) == 0 {
			break // it applies to all requests that no rule before it matches
		}
	}
	return found
}

// describeRule describes the entry of a candidate: the address that clients use, and the Gateway.
func describeRule(l gateway.Listener, host gateway.Host, rule gateway.Rule) string {
	text := fmt.Sprintf("%s://%s:%d%s", l.Scheme(), host.Domain, l.Port, rule.Match.Path)
	if l.RoutesConnections() {
		text = fmt.Sprintf("%s://%s:%d", l.Scheme(), host.Domain, l.Port)
	}
	if len(rule.Match.Headers)+len(rule.Match.Query) > 0 {
		text += " (with the headers and parameters of the match)"
	}
	if l.Clients != nil && !l.Clients.AllowInvalid {
		text += " (with a client certificate)"
	}
	return fmt.Sprintf("%s, listener %s of Gateway %s", text, l.Name, l.Gateway)
}
