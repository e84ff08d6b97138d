package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// question is what a source may send to a door, before and after.
type question struct {
	flows   *flows
	id      doorID
	was, is *door
	source  identity.ServiceAccount
}

// sample is one request.
type sample struct {
	method, path string
	headers      []authz.Header
}

func (s sample) String() string {
	text := s.method + " " + s.path
	for _, h := range s.headers {
		text += fmt.Sprintf(" -H '%s: %s'", h.Name, h.Value)
	}
	return text
}

// reply is what becomes of a sample on one side.
type reply struct {
	access   Access
	policies []string
	// seen is how it is denied.
	seen string
}

// ask asks the policy engine of one side.
func (q question) ask(side flowSide, d *door, s sample) reply {
	if d == nil {
		return reply{access: Denied, seen: "there is no such port"}
	}
	if !d.connects(q.source) {
		return reply{access: Denied, seen: "the connection does not come about"}
	}
	host := fmt.Sprintf("%s.%s:%d", q.id.service.Name, q.id.service.Namespace, q.id.port)
	r := authz.Request{Source: q.source, Service: q.id.service, Port: q.id.port}
	if d.http {
		r.Method, r.Path, r.Headers = s.method, s.path, append([]authz.Header{{Name: ":authority", Value: host}}, s.headers...)
		if i := slices.IndexFunc(s.headers, func(h authz.Header) bool { return h.Name == ":authority" }); i >= 0 {
			r.Headers = s.headers
		}
	}
	var all authz.Verdict
	if d.pods == nil {
		all = authz.Decide(side.view, r)
	}
	for _, pod := range d.pods {
		r.Pod = pod
		all.Answers = append(all.Answers, authz.Decide(side.view, r).Answers...)
	}
	return replyOf(all)
}

func replyOf(v authz.Verdict) reply {
	r := reply{access: Denied}
	switch {
	case len(v.Answers) == 0:
		r.seen = string(authz.Unavailable)
	case v.Always(authz.Allowed):
		r.access = Allowed
	case v.May(authz.Allowed):
		r.access = Partly
	}
	var seen []string
	for _, a := range v.Answers {
		r.policies = append(r.policies, a.Policies...)
		if a.Outcome != authz.Allowed {
			seen = append(seen, strings.TrimSpace(string(a.Outcome)+" "+at(a)))
		}
	}
	slices.Sort(seen)
	if len(seen) > 0 {
		r.seen = strings.Join(slices.Compact(seen), ", ")
	}
	slices.Sort(r.policies)
	r.policies = slices.Compact(r.policies)
	return r
}

func at(a authz.Answer) string {
	if a.Service == (catalog.Name{}) {
		return ""
	}
	return "at " + a.Service.String()
}

// connections compares a TCP port.
func (q question) connections() {
	before, after := q.ask(q.flows.before, q.was, sample{}), q.ask(q.flows.after, q.is, sample{})
	if before.access != after.access {
		q.flows.add(q.source, q.flow(before, after, "connections", "", nil))
	}
}

// flow is a flow whose access differs.
func (q question) flow(before, after reply, request, example string, match *catalog.HTTPMatch) Flow {
	flow := Flow{To: q.id.String(), Request: request, Example: example, Before: before.access, After: after.access}
	side, policies := q.flows.after, after.policies
	if flow.Denies() {
		side, policies, flow.Seen = q.flows.before, before.policies, after.seen
	}
	for _, policy := range policies {
		flow.By = append(flow.By, q.rule(side.view, policy, match))
	}
	return flow
}

// rule names a policy, and the rule of it that grants the match.
func (q question) rule(v *catalog.View, policy string, match *catalog.HTTPMatch) string {
	text := "TrafficTarget " + policy
	if match == nil {
		return text
	}
	for _, target := range v.TargetsFrom(q.source) {
		if target.Name.String() != policy {
			continue
		}
		for _, rule := range target.Rules {
			group := v.HTTPRouteGroup(catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name})
			if rule.Kind != catalog.KindHTTPRouteGroup || group == nil {
				continue
			}
			for _, m := range group.Matches {
				if matchKey(m) == matchKey(*match) && (len(rule.Matches) == 0 || slices.Contains(rule.Matches, m.Name)) {
					return text + " (HTTPRouteGroup " + rule.Name + ", match " + m.Name + ")"
				}
			}
		}
	}
	return text
}

// matchKey is equal for matches that select the same requests by the same expressions.
func matchKey(m catalog.HTTPMatch) string {
	return fmt.Sprintf("%q %q %q", m.PathRegex, m.Methods, m.Headers)
}

// requests compares an HTTP port: for each match that grants the source something on either side, by examples.
func (q question) requests(sameKind bool) {
	matches := q.matches()
	if !sameKind {
		matches = append(matches, catalog.HTTPMatch{})
	}
	methods := mentioned(matches)
	for _, m := range matches {
		q.match(m, methods)
	}
}

// matches are those that decide about the source's requests on either side, each once.
func (q question) matches() []catalog.HTTPMatch {
	var all []catalog.HTTPMatch
	seen := map[string]bool{}
	for _, d := range []*door{q.was, q.is} {
		if d == nil {
			continue
		}
		lists := [][]catalog.HTTPMatch{d.steering}
		for _, p := range d.places {
			lists = append(lists, p.granted(q.source))
		}
		for _, m := range slices.Concat(lists...) {
			m.Name = ""
			if id := matchKey(m); !seen[id] {
				seen[id] = true
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, func(a, b catalog.HTTPMatch) int { return strings.Compare(matchKey(a), matchKey(b)) })
	return all
}

// difference of requests with one method.
type methodReply struct {
	method        string
	before, after reply
	example       sample
	differs       bool
}

// match compares the requests of one match.
func (q question) match(m catalog.HTTPMatch, known []string) {
	methods := m.Methods
	if len(methods) == 0 {
		methods = append(slices.Clone(known), another(known))
	}
	paths, headers := pathsOf(m.PathRegex), headersOf(m.Headers)
	if len(paths) == 0 || headers == nil {
		q.flows.gap("Requests to %s that match %s: no example of the expression was found, so whether they are allowed was not compared.", q.id, describe(m, "any method"))
		return
	}
	var replies []methodReply
	for _, method := range methods {
		replies = append(replies, q.method(method, paths, headers))
	}
	for len(replies) > 0 {
		first := replies[0]
		var same, rest []methodReply
		for _, r := range replies {
			if r.differs == first.differs && r.before.access == first.before.access && r.after.access == first.after.access {
				same = append(same, r)
			} else {
				rest = append(rest, r)
			}
		}
		if first.differs {
			request := describe(m, methodNames(m, same, len(rest) == 0 && len(same) == len(methods), another(known)))
			q.flows.add(q.source, q.flow(first.before, first.after, request, first.example.String(), &m))
		}
		replies = rest
	}
}

// method asks examples with one method, until one is decided otherwise than before.
func (q question) method(method string, paths []string, headers []authz.Header) methodReply {
	r := methodReply{method: method}
	for _, path := range paths {
		r.example = sample{method: method, path: path, headers: headers}
		r.before, r.after = q.ask(q.flows.before, q.was, r.example), q.ask(q.flows.after, q.is, r.example)
		if r.differs = r.before.access != r.after.access; r.differs {
			return r
		}
	}
	return r
}

// methodNames says which methods a row is about.
func methodNames(m catalog.HTTPMatch, replies []methodReply, all bool, other string) string {
	if all && len(m.Methods) == 0 {
		return "any method"
	}
	var names []string
	for _, r := range replies {
		if len(m.Methods) == 0 && r.method == other {
			names = append(names, "other methods")
		} else {
			names = append(names, r.method)
		}
	}
	return strings.Join(names, ", ")
}

// mentioned are the methods that any match names, and GET.
func mentioned(matches []catalog.HTTPMatch) []string {
	methods := []string{"GET"}
	for _, m := range matches {
		methods = append(methods, m.Methods...)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// another is a method that nobody mentions: it stands for all others.
func another(known []string) string {
	for _, method := range []string{"PATCH", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "TRACE"} {
		if !slices.Contains(known, method) {
			return method
		}
	}
	return "OTHER"
}
