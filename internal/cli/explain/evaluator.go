package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// evaluator evaluates a question for a caller.
type evaluator struct {
	v        *catalog.View
	caller   identity.ServiceAccount
	question Question
}

// at evaluates the question for one port.
func (e evaluator) at(p servicePort) []Candidate {
	candidates, leftOut := e.candidatesFor(p), e.leftOut(p)
	for i := range candidates {
		candidates[i].LeftOut = leftOut
	}
	return candidates
}

func (e evaluator) candidatesFor(p servicePort) []Candidate {
	r := e.request(p)
	if e.isGeneral(p) {
		return e.candidatesOf(p, authz.DecideAny(e.viewOf(p), r))
	}
	var candidates []Candidate
	serverNames := []string{r.ServerName}
	if r.ServerName == "" {
		serverNames = authz.SampleServerNames(e.viewOf(p), r)
	}
	for _, r.ServerName = range serverNames {
		some := e.candidatesOf(p, authz.Decide(e.viewOf(p), r))
		slices.SortFunc(some, func(x, y Candidate) int { return strings.Compare(x.At+x.Destination, y.At+y.Destination) })
		candidates = append(candidates, some...)
	}
	return candidates
}

// isGeneral reports whether the question is about any request to an HTTP port.
func (e evaluator) isGeneral(p servicePort) bool {
	return p.port.Protocol.IsHTTP() && !e.question.hasRequest()
}

// candidatesOf describes the answers of a verdict.
func (e evaluator) candidatesOf(p servicePort, verdict authz.Verdict) []Candidate {
	var candidates []Candidate
	for _, answer := range verdict.Answers {
		if answer.Destination == (identity.ServiceAccount{}) || p.includes(answer.Destination) {
			candidates = append(candidates, e.candidateOf(p, answer))
		}
	}
	return candidates
}

func (e evaluator) candidateOf(p servicePort, answer authz.Answer) Candidate {
	w := p.candidate(answer.Outcome, e.response(p, answer), answer.Missing)
	w.Policies, w.Split, w.Match, w.Route = answer.Policies, answer.Split, answer.Match, answer.Route
	if answer.Weight < answer.TotalWeight {
		w.Share = fmt.Sprintf("%d%%", 100*answer.Weight/answer.TotalWeight)
	}
	if answer.Service != p.service.Name && answer.Service != (entity.Name{}) {
		w.At = answer.Service.String()
	}
	if answer.Permissive {
		w.Permissive = e.permissive(answer.Destination.Namespace)
	}
	if answer.Destination == (identity.ServiceAccount{}) {
		return w
	}
	w.Destination, w.Logs = answer.Destination.String(), logs(e.v, answer.Destination)
	if e.isGeneral(p) || p.port.Protocol.IsHTTP() && answer.Outcome != authz.Allowed {
		w.Granted = grants(answer.Granted(e.v, e.caller))
	}
	attached := answer.Attached(e.v, p.port.Protocol)
	w.Limits, w.Authorizer, w.Authorizers = limits(attached.Setting, p.port.Protocol), authorizer(attached.Mesh), authorizers(attached.Servers)
	return w
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

// request converts the question to a request to one port.
func (e evaluator) request(p servicePort) authz.Request {
	r := authz.Request{Source: e.caller, Service: p.service.Name, Port: p.port.Number, Pod: p.pod, ServerName: e.question.ServerName}
	// A sidecar may read the requests of a TCP port as HTTP, because another port of its pod has the same number.
	if p.port.Protocol.IsHTTP() || e.question.hasRequest() {
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

// destinations returns the destinations of the request of the question, or of any request.
func (e evaluator) destinations(p servicePort) []authz.Destination {
	return slices.DeleteFunc(authz.Destinations(e.viewOf(p), e.request(p)), func(d authz.Destination) bool { return !p.includes(d.Identity) })
}

// authorizer describes the authorization server that decides about requests in addition to policies.
func authorizer(server *catalog.ExternalAuthorization) string {
	if server == nil {
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

// grants describes the requests that the caller may send.
func grants[A authz.Account[A]](routes []authz.RouteOf[A]) []Grant {
	return lists.Map(routes, func(route authz.RouteOf[A]) Grant {
		methods := cmp.Or(strings.Join(route.Match.Methods, ", "), "any method")
		return Grant{Request: authz.DescribeMatch(route.Match, methods), Policies: route.Policies}
	})
}

// response describes the response that the client gets. A route can answer in its sidecar.
func (e evaluator) response(p servicePort, answer authz.Answer) string {
	hasDestination := answer.Destination != (identity.ServiceAccount{})
	switch {
	case answer.Peer != "" && answer.Outcome == authz.Allowed:
		return responseOfPeer(answer.Peer, p.port.Protocol)
	case e.isGeneral(p) && answer.Outcome == authz.Allowed:
		return "the requests listed here reach the application"
	case e.isGeneral(p) && hasDestination:
		return "no request is allowed; add METHOD and PATH to see the response"
	case answer.Outcome == authz.Redirected:
		return fmt.Sprintf("status %d, a redirect by the route", answer.Status)
	case answer.Outcome == authz.NotFound && !hasDestination:
		return "status 404 of the client's sidecar: no rule of the Service's routes matches"
	}
	return response(answer.Outcome, p.port.Protocol)
}

// response describes the response that the client gets.
func response(outcome authz.Outcome, protocol inventory.Protocol) string {
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
