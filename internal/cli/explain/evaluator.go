package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// evaluator evaluates a question for a caller.
type evaluator struct {
	catalog  *catalog.Catalog
	v        *catalog.View
	caller   identity.ServiceAccount
	question Question
}

// at evaluates the question for one port.
func (e evaluator) at(p servicePort) []Way {
	ways, leftOut := e.waysTo(p), e.leftOut(p)
	for i := range ways {
		ways[i].LeftOut = leftOut
	}
	return ways
}

func (e evaluator) waysTo(p servicePort) []Way {
	if p.port.Protocol.IsHTTP() && !e.question.asksRequest() {
		return e.anyRequest(p)
	}
	var ways []Way
	for _, name := range e.serverNames(p) {
		one := e
		one.question.ServerName = name
		ways = append(ways, one.waysOf(p)...)
	}
	return ways
}

// serverNames returns the server name of the question. If it is about all connections to a port with TLSRoutes, it returns a name of each of them.
func (e evaluator) serverNames(p servicePort) []string {
	if e.question.ServerName != "" {
		return []string{e.question.ServerName}
	}
	var names []string
	for _, rule := range authz.RouteRules(e.viewOf(p), e.caller.Namespace, p.service, p.port) {
		if rule.Routed != nil && len(rule.Routed.ServerNames) > 0 {
			names = append(names, rule.Routed.ServerNames[0])
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// waysOf evaluates one request or connection.
func (e evaluator) waysOf(p servicePort) []Way {
	verdict := e.decide(p)
	var ways []Way
	for _, answer := range verdict.Answers {
		if answer.Destination != (identity.ServiceAccount{}) && p.only != (identity.ServiceAccount{}) && answer.Destination != p.only {
			continue
		}
		w := e.way(p)
		w.Outcome, w.Seen = string(answer.Outcome), seenBy(answer, p.port.Protocol)
		w.Policies, w.Missing, w.Split, w.Match, w.Route = answer.Policies, answer.Missing, answer.Split, answer.Match, answer.Route
		if answer.Permissive {
			w.Permissive = e.permissive(answer.Destination.Namespace)
		}
		if answer.Service != p.service.Name && answer.Service != (catalog.Name{}) {
			w.At = answer.Service.String()
		}
		w.Share = e.share(p, answer)
		if answer.Destination != (identity.ServiceAccount{}) {
			w.Destination = answer.Destination.Namespace + "/" + answer.Destination.Name
			w.Logs = logs(e.v, answer.Destination)
			if answer.Outcome != authz.Allowed {
				w.Granted = e.granted(p, answer.Service, answer.Destination)
			} else {
				w.Limits = limits(e.v, cmp.Or(answer.Service, p.service.Name), p.port.Protocol)
				w.Authorizer, w.Authorizers = e.authorizer(p.port.Protocol), e.authorizers(answer.Destination, p.port.Protocol)
			}
		}
		ways = append(ways, w)
	}
	slices.SortFunc(ways, func(x, y Way) int { return strings.Compare(x.At+x.Destination, y.At+y.Destination) })
	return ways
}

// share returns the part of the requests that a TrafficSplit or route sends to the Service of an answer; empty for all.
func (e evaluator) share(p servicePort, answer authz.Answer) string {
	rule := authz.MatchRule(authz.RouteRules(e.viewOf(p), e.caller.Namespace, p.service, p.port), e.request(p))
	total, weight := uint64(0), uint64(0)
	if rule.Routed != nil {
		total = uint64(rule.Routed.Unusable)
	}
	for _, b := range rule.Backends {
		total += uint64(b.Weight)
		if b.Service.Name == answer.Service {
			weight += uint64(b.Weight)
		}
	}
	if answer.Split == "" && answer.Route == "" || answer.Service == (catalog.Name{}) || total == 0 || weight == total {
		return ""
	}
	return fmt.Sprintf("%d%%", 100*weight/total)
}

func (e evaluator) way(p servicePort) Way {
	return Way{Service: p.service.Name.String(), Port: p.port.Number, Protocol: string(p.port.Protocol)}
}

// permissive returns the owner of permissive mode for a namespace, or "" where policies apply.
func (e evaluator) permissive(namespace string) string {
	switch {
	case !e.v.Permissive(namespace):
		return ""
	case slices.Contains(e.v.PermissiveOverrides(), namespace):
		return "the namespace " + namespace
	}
	return "the mesh"
}

// decide evaluates the request with the policy engine.
func (e evaluator) decide(p servicePort) authz.Verdict {
	return authz.Decide(e.viewOf(p), e.request(p))
}

// request converts the question to a request to one port.
func (e evaluator) request(p servicePort) authz.Request {
	r := authz.Request{Source: e.caller, Service: p.service.Name, Port: p.port.Number, Pod: p.pod, ServerName: e.question.ServerName}
	// A sidecar may read the requests of a TCP port as HTTP, because another port of its pod has the same number.
	if p.port.Protocol.IsHTTP() || e.question.asksRequest() {
		r.Method, r.Path, r.Headers = e.question.Method, e.question.Path, withHost(e.question.Headers, p.host())
	}
	return r
}

// withHost adds the :authority header, with the value of a Host header in the question.
func withHost(headers []authz.Header, host string) []authz.Header {
	all := []authz.Header{{Name: ":authority", Value: host}}
	for _, h := range headers {
		if strings.EqualFold(h.Name, "host") || h.Name == ":authority" {
			all[0].Value = h.Value
			continue
		}
		all = append(all, h)
	}
	return all
}

// anyRequest evaluates, for each identity behind a port, whether the caller may send it any request.
func (e evaluator) anyRequest(p servicePort) []Way {
	var ways []Way
	for _, b := range p.destinations(e) {
		w := e.way(p)
		w.Split, w.Match, w.Route = b.split, b.matches, b.route
		w.Destination, w.Logs = b.identity.Namespace+"/"+b.identity.Name, logs(e.v, b.identity)
		if b.service != p.service.Name {
			w.At = b.service.String()
		}
		w.Granted = e.granted(p, b.service, b.identity)
		if w.Permissive = e.permissive(b.identity.Namespace); w.Permissive == "" {
			w.Policies = authz.GrantingTargets(e.v, e.caller, b.identity, b.port, b.protocol)
		}
		if len(w.Granted) > 0 {
			w.Outcome, w.Seen = string(authz.Allowed), "the requests listed here reach the application"
			w.Limits = limits(e.v, b.service, p.port.Protocol)
			w.Authorizer, w.Authorizers = e.authorizer(p.port.Protocol), e.authorizers(b.identity, p.port.Protocol)
		} else {
			w.Outcome, w.Seen = string(authz.Unavailable), "no request is allowed; add METHOD and PATH to see the response"
			w.Missing = fmt.Sprintf("a TrafficTarget in namespace %s from %s/%s to %s", b.identity.Namespace, e.caller.Namespace, e.caller.Name, w.Destination)
		}
		ways = append(ways, w)
	}
	if len(ways) == 0 {
		w := e.way(p)
		w.Outcome, w.Seen, w.Missing = string(authz.Unavailable), seen(authz.Unavailable, p.port.Protocol), "a pod with a sidecar behind "+p.service.Name.String()
		ways = append(ways, w)
	}
	return ways
}

// authorizer describes the authorization server that decides about requests in addition to policies.
func (e evaluator) authorizer(protocol catalog.Protocol) string {
	server := e.v.Settings().ExternalAuthorization
	if server == nil || !protocol.IsHTTP() {
		return ""
	}
	otherwise := withoutAnswer(server.FailureModeAllow)
	if server.Address == "" {
		return "there is no usable authorization server, so the request " + otherwise
	}
	return fmt.Sprintf("the authorization server %s:%d must allow the request too; without its answer within %s the request %s", server.Address, server.Port, server.Timeout, otherwise)
}

// withoutAnswer describes what happens to a request that an authorization server does not decide about.
func withoutAnswer(allow bool) string {
	if allow {
		return "is allowed"
	}
	return "gets status 503"
}

// granted lists the requests that the caller may send to an identity behind a Service.
func (e evaluator) granted(p servicePort, service catalog.Name, to identity.ServiceAccount) []Grant {
	if !p.port.Protocol.IsHTTP() {
		return nil
	}
	var grants []Grant
	all := p.destinations(e)
	for i, b := range all {
		same := func(o destination) bool {
			return o.service == b.service && o.identity == b.identity && o.port == b.port
		}
		if b.service != service || b.identity != to || slices.ContainsFunc(all[:i], same) {
			continue
		}
		for _, route := range authz.InboundRules(e.v, to, b.port, b.protocol).Routes {
			if route.AnySource || slices.Contains(route.Sources, e.caller) {
				grants = append(grants, Grant{Request: describe(route.Match), Policies: route.Policies})
			}
		}
	}
	return grants
}

// describe formats a match as text.
func describe(m catalog.HTTPMatch) string {
	parts := []string{cmp.Or(strings.Join(m.Methods, ", "), "any method"), cmp.Or(m.PathRegex, "any path")}
	for _, h := range m.Headers {
		parts = append(parts, fmt.Sprintf("-H '%s: %s'", h.Name, h.Regex))
	}
	return strings.Join(parts, " ")
}

// seenBy describes the response that the client gets. A route can answer in its sidecar.
func seenBy(answer authz.Answer, protocol catalog.Protocol) string {
	switch {
	case answer.Outcome == authz.Redirected:
		return fmt.Sprintf("status %d, a redirect by the route", answer.Status)
	case answer.Outcome == authz.NotFound && answer.Destination == (identity.ServiceAccount{}):
		return "status 404 of the client's sidecar: no rule of the Service's routes matches"
	}
	return seen(answer.Outcome, protocol)
}

// seen describes the response that the client gets.
func seen(outcome authz.Outcome, protocol catalog.Protocol) string {
	if outcome == authz.Unavailable && protocol.IsHTTP() {
		return "status 503"
	}
	return cmp.Or(responses[outcome], string(outcome))
}

// responses describe the response for each outcome. HTTP has another one for Unavailable.
var responses = map[authz.Outcome]string{
	authz.Allowed:       "it reaches the application",
	authz.Forbidden:     "status 403, RBAC: access denied (granted to others)",
	authz.NotFound:      "status 404 (granted to nobody)",
	authz.Misrouted:     "status 500 of the client's sidecar",
	authz.BadRequest:    "status 400",
	authz.Unavailable:   "the connection is closed without a response",
	authz.Reset:         "the connection is reset",
	authz.Refused:       "the connection is reset, like all connections of this client",
	authz.PassedThrough: "the connection is passed through like external traffic, and the server's sidecar closes it",
}
