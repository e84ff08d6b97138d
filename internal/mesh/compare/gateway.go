package compare

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// compareGateways compares what clients outside the mesh may send through the ingress gateway.
func (f *flows) compareGateways() {
	before, after := gatewayHosts(f.before.view), gatewayHosts(f.after.view)
	addClientsWithCertificates(before, after)
	addClientsWithCertificates(after, before)
	urls := map[string]bool{}
	for _, side := range []map[string]*gatewayHost{before, after} {
		for url := range side {
			urls[url] = true
		}
	}
	for _, url := range slices.Sorted(maps.Keys(urls)) {
		one, other := before[url], after[url]
		requestComparison{
			flows: f, to: url,
			ask: func(s sample) (reply, reply) { return one.ask(s), other.ask(s) },
			add: func(before, after reply, request, example string, _ catalog.HTTPMatch) {
				f.list = append(f.list, outsideFlow(OutsideSource, url, request, example, before, after))
			},
		}.compare(withoutDuplicates(one.matches(f), other.matches(f)))
	}
}

// gatewayHost is a host of a listener of the ingress gateway.
type gatewayHost struct {
	view     *catalog.View
	listener gateway.Listener
	host     gateway.Host
}

// gatewayHosts returns the hosts of the ingress gateway by their URL. Gateways that have pods of their own can have the same ones.
func gatewayHosts(v *catalog.View) map[string]*gatewayHost {
	hosts := map[string]*gatewayHost{}
	for _, l := range gateway.Resolve(v).Listeners {
		if l.RoutesConnections() {
			continue
		}
		for _, host := range l.Hosts {
			url := fmt.Sprintf("%s://%s:%d", l.Scheme(), host.Domain, l.Port)
			if l.Dedicated {
				url += " at Gateway " + l.Gateway.String()
			}
			if l.Clients != nil && !l.Clients.AllowInvalid {
				url += withCertificate
			}
			hosts[url] = &gatewayHost{v, l, host}
		}
	}
	return hosts
}

// withCertificate is part of the URL of a host that only clients with a certificate can use.
const withCertificate = " with a client certificate"

// addClientsWithCertificates adds the hosts that clients can use with a certificate, as they have to on the other side, or without one.
func addClientsWithCertificates(hosts, other map[string]*gatewayHost) {
	for url := range other {
		if plain, demanded := strings.CutSuffix(url, withCertificate); demanded && hosts[url] == nil && hosts[plain] != nil {
			hosts[url] = hosts[plain]
		}
	}
}

// matches returns the matches of the rules. Those with query parameters are not compared.
func (h *gatewayHost) matches(f *flows) []catalog.HTTPMatch {
	if h == nil {
		return nil
	}
	var list []catalog.HTTPMatch
	for _, rule := range h.host.Rules {
		if len(rule.Match.Query) > 0 {
			f.recordUncompared("Requests to %s through Gateway %s with query parameters that a match names: whether they are allowed was not compared.", h.host.Domain, h.listener.Gateway)
			continue
		}
		list = append(list, requestMatch(rule.Match))
	}
	return list
}

// requestMatch returns a match of an HTTPRoute as expressions.
func requestMatch(m catalog.RouteMatch) catalog.HTTPMatch {
	out := catalog.HTTPMatch{PathRegex: m.Path}
	switch m.PathType {
	case "Exact":
		out.PathRegex = regexp.QuoteMeta(m.Path)
	case "PathPrefix":
		out.PathRegex = regexp.QuoteMeta(strings.TrimSuffix(m.Path, "/")) + "(/.*)?"
		if m.Path == "/" {
			out.PathRegex = "/.*"
		}
	}
	if m.Method != "" {
		out.Methods = []string{m.Method}
	}
	for _, h := range m.Headers {
		value := h.Value
		if !h.Regex {
			value = regexp.QuoteMeta(value)
		}
		out.Headers = append(out.Headers, catalog.HeaderMatch{Name: strings.ToLower(h.Name), Regex: value})
	}
	return out
}

// ask evaluates a request: the first rule that matches it decides.
func (h *gatewayHost) ask(s sample) reply {
	if h == nil {
		return reply{access: Denied, seen: "the ingress gateway does not serve the host"}
	}
	for _, rule := range h.host.Rules {
		if len(rule.Match.Query) == 0 && s.matches(requestMatch(rule.Match)) {
			return h.forward(rule, s)
		}
	}
	return denial(authz.NotFound)
}

// matches reports whether an example matches.
func (s sample) matches(m catalog.HTTPMatch) bool {
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, s.method) || !matchesWhole(m.PathRegex, s.path) {
		return false
	}
	return !slices.ContainsFunc(m.Headers, func(want catalog.HeaderMatch) bool {
		return !slices.ContainsFunc(s.headers, func(h authz.Header) bool {
			return strings.EqualFold(h.Name, want.Name) && matchesWhole(want.Regex, h.Value)
		})
	})
}

func matchesWhole(expression, text string) bool {
	re, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	return err == nil && re.MatchString(text)
}

// forward evaluates a request that a rule selects: the sidecars of its backends authorize the gateway.
func (h *gatewayHost) forward(rule gateway.Rule, s sample) reply {
	by := fmt.Sprintf("listener %s of Gateway %s", h.listener.Name, h.listener.Gateway)
	switch {
	case rule.Rule.Unsupported != "":
		return reply{access: Denied, seen: "status 500"}
	case rule.Rule.Filters.Redirect != nil:
		return reply{access: Allowed, policies: []string{by}}
	}
	client := identity.ServiceAccount{Namespace: h.view.Settings().Namespace, Name: names.IngressGateway}
	var all authz.Verdict
	for _, b := range rule.Backends {
		switch {
		case b.Weight == 0:
		case b.Service == nil:
			all.Answers = append(all.Answers, authz.Answer{Outcome: authz.Unavailable})
		default:
			r := rewrite(rule, s)
			all.Answers = append(all.Answers, authz.Decide(h.view, authz.Request{
				Source: client, Service: b.Service.Name, Port: b.Port.Number, Method: r.method, Path: r.path, Headers: append(r.headers, authz.Header{Name: ":authority", Value: h.host.Domain}),
			}).Answers...)
		}
	}
	got := replyOf(all)
	got.policies = append([]string{by}, prefixed("TrafficTarget", got.policies)...)
	return got
}

// rewrite returns a request as the filters of a rule change it.
func rewrite(rule gateway.Rule, s sample) sample {
	filters := rule.Rule.Filters
	if r := filters.Rewrite; r != nil && r.Path != nil {
		rest, _ := strings.CutPrefix(s.path, strings.TrimSuffix(rule.Match.Path, "/"))
		switch {
		case !r.Path.Prefix:
			s.path = r.Path.Value
		default:
			s.path = "/" + strings.TrimPrefix(strings.TrimSuffix(r.Path.Value, "/")+rest, "/")
		}
	}
	edited := slices.DeleteFunc(slices.Clone(s.headers), func(h authz.Header) bool {
		return slices.ContainsFunc(filters.Request.Remove, func(name string) bool { return strings.EqualFold(name, h.Name) }) ||
			slices.ContainsFunc(filters.Request.Set, func(set catalog.HeaderValue) bool { return strings.EqualFold(set.Name, h.Name) })
	})
	for _, h := range slices.Concat(filters.Request.Set, filters.Request.Add) {
		edited = append(edited, authz.Header{Name: h.Name, Value: h.Value})
	}
	s.headers = edited
	return s
}
