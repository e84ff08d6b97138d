package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// portComparison compares what a source may send to a port, before and after the edit.
type portComparison struct {
	flows         *flows
	id            portID
	before, after *servicePort
	source        identity.ServiceAccount
}

// sample is an example request.
type sample struct {
	// serverName is that of a connection with TLS.
	serverName   string
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

// reply is the verdict for a sample on one side.
type reply struct {
	access   Access
	policies []string
	// seen describes the denial.
	seen string
}

// evaluate evaluates a sample on one side.
func (c portComparison) evaluate(side flowSide, p *servicePort, s sample) reply {
	if p == nil {
		return reply{access: Denied, seen: "port not found"}
	}
	accepts := slices.ContainsFunc(p.destinations, func(d destination) bool { return d.rules.Accepts(c.source) })
	if !accepts && len(p.importsFor(c.source)) == 0 {
		return reply{access: Denied, seen: "the connection fails"}
	}
	host := fmt.Sprintf("%s.%s:%d", c.id.service.Name, c.id.service.Namespace, c.id.port)
	r := authz.Request{Source: c.source, Service: c.id.service, Port: c.id.port, ServerName: s.serverName}
	if p.http {
		r.Method, r.Path, r.Headers = s.method, s.path, append([]authz.Header{{Name: ":authority", Value: host}}, s.headers...)
		if i := slices.IndexFunc(s.headers, func(h authz.Header) bool { return h.Name == ":authority" }); i >= 0 {
			r.Headers = s.headers
		}
	}
	var all authz.Verdict
	if p.pods == nil {
		all = authz.Decide(side.view, r)
	}
	for _, pod := range p.pods {
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
	if len(seen) > 0 {
		r.seen = strings.Join(lists.Unique(seen), ", ")
	}
	r.policies = lists.Unique(r.policies)
	return r
}

func at(a authz.Answer) string {
	if a.Service == (entity.Name{}) {
		return ""
	}
	return "at " + a.Service.String()
}

// connections compares a TCP port.
func (c portComparison) connections() {
	for _, name := range c.serverNames() {
		s := sample{serverName: name}
		before, after := c.evaluate(c.flows.before, c.before, s), c.evaluate(c.flows.after, c.after, s)
		if before.access != after.access {
			c.flows.add(c.source, c.flow(before, after, strings.TrimSuffix("connections for "+name, " for "), "", nil))
		}
	}
}

// serverNames returns an empty name for connections that no TLSRoute selects, one name for each TLSRoute, and the names that other ones select after the
// edit. All other names have the same verdict as one of these.
func (c portComparison) serverNames() []string {
	names, seen := []string{""}, map[string]bool{}
	before, after := c.before.namesOf(), c.after.namesOf()
	for _, side := range []map[string]string{before, after} {
		for _, name := range slices.Sorted(maps.Keys(side)) {
			if before[name] != after[name] || !seen[side[name]] {
				names = append(names, name)
			}
			seen[side[name]] = true
		}
	}
	return lists.Unique(names)
}

// namesOf returns the server names of a port, which may not exist.
func (p *servicePort) namesOf() map[string]string {
	if p == nil {
		return nil
	}
	return p.serverNames
}

// flow returns a flow whose access changes.
func (c portComparison) flow(before, after reply, request, example string, match *catalog.HTTPMatch) Flow {
	flow := Flow{To: c.id.String(), Request: request, Example: example, Before: before.access, After: after.access}
	side, policies, imports := c.flows.after, after.policies, c.after.importsFor(c.source)
	if flow.Denies() {
		side, policies, flow.Seen, imports = c.flows.before, before.policies, after.seen, c.before.importsFor(c.source)
	}
	flow.By = importsOf(imports)
	for _, policy := range policies {
		flow.By = append(flow.By, c.rule(side.view, policy, match))
	}
	return flow
}

// rule describes a policy and its rule that grants the match.
func (c portComparison) rule(v *catalog.View, policy string, match *catalog.HTTPMatch) string {
	text := "TrafficTarget " + policy
	if match == nil {
		return text
	}
	for _, target := range v.TargetsFrom(c.source) {
		if target.Name.String() != policy {
			continue
		}
		for _, rule := range target.Rules {
			group := v.HTTPRouteGroup(entity.Name{Namespace: target.Name.Namespace, Name: rule.Name})
			if rule.Kind != entity.KindHTTPRouteGroup || group == nil {
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

// matchKey is equal for matches with the same expressions.
func matchKey(m catalog.HTTPMatch) string {
	return fmt.Sprintf("%q %q %q", m.PathRegex, m.Methods, m.Headers)
}

// requests compares an HTTP port by examples for each relevant match.
func (c portComparison) requests(sameKind bool) {
	matches := c.matches()
	if !sameKind || len(c.before.routes)+len(c.after.routes) > 0 {
		matches = append(matches, catalog.HTTPMatch{}) // requests that no rule matches
	}
	if len(c.before.importsFor(c.source))+len(c.after.importsFor(c.source)) > 0 {
		matches = append(matches, catalog.HTTPMatch{}) // the peer knows which requests it admits
	}
	if c.before.hasQueries() || c.after.hasQueries() {
		c.flows.recordUncompared("Requests to %s with query parameters that a match of a route names: whether they are allowed was not compared.", c.id)
	}
	requestComparison{
		flows: c.flows, to: c.id.String(),
		evaluate: func(s sample) (before, after reply) {
			return c.evaluate(c.flows.before, c.before, s), c.evaluate(c.flows.after, c.after, s)
		},
		add: func(before, after reply, request, example string, m catalog.HTTPMatch) {
			c.flows.add(c.source, c.flow(before, after, request, example, &m))
		},
	}.compare(matches)
}

// matches returns the matches that decide about the source's requests on either side, without duplicates.
func (c portComparison) matches() []catalog.HTTPMatch {
	var all []catalog.HTTPMatch
	for _, d := range []*servicePort{c.before, c.after} {
		if d == nil {
			continue
		}
		all = append(all, d.routeMatches...)
		for _, p := range d.destinations {
			for _, route := range p.rules.Granted(c.source) {
				all = append(all, route.Match)
			}
		}
	}
	return withoutDuplicates(all)
}
