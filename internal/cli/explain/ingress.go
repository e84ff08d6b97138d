package explain

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// outsideClient is the word for a client outside the mesh with any address.
const outsideClient = "outside"

// client is a client outside the mesh.
type client struct {
	what    string
	address netip.Addr
	gateway catalog.Name
}

// clientOutside returns the source of a question if it is outside the mesh: the word for any, an address that no pod has, or a Service
// outside the mesh.
func (m Mesh) clientOutside(v *catalog.View, q Question, from party, resolveErr error) (client, bool) {
	if q.From.text == outsideClient {
		return client{what: "a client outside the mesh"}, true
	}
	if address, err := netip.ParseAddr(q.From.Name); err == nil && resolveErr != nil {
		return client{what: "the client " + address.String() + " outside the mesh", address: address}, true
	}
	if resolveErr == nil && from.service != nil && !v.InMesh(from.service.Name.Namespace) {
		return client{what: from.what + ", outside the mesh", gateway: from.service.Name}, true
	}
	return client{}, false
}

// askFromOutside answers a question of a client outside the mesh: it reaches a port by an IngressBackend, or by the ingress gateway.
func (m Mesh) askFromOutside(ctx context.Context, v *catalog.View, q Question, from client) (*Answer, error) {
	to, err := m.resolve(ctx, v, q.To, false)
	if err != nil {
		return nil, err
	}
	a := &Answer{From: from.what, To: to.what, Ways: []Way{}, FromOutside: true, Teardown: m.teardownNote(v.Settings()), Missing: m.membership(v, to, to)}
	if q.asksRequest() {
		a.Request = q.Method + " " + q.Path
	}
	ports, err := servicePorts(v, to, q.To.Port)
	if err != nil {
		return nil, err
	}
	if len(ports) == 0 && len(a.Missing) == 0 {
		a.Missing = append(a.Missing, m.missingPort(v, to))
	}
	for _, p := range ports {
		way := ingressWay(v, q, from, p)
		if way.Outcome == string(authz.Allowed) && m.isIngressDenied(v, p) {
			way.denyIngress(p.service.Name.Namespace)
		}
		a.Ways = append(a.Ways, way)
		a.Ways = append(a.Ways, m.gatewayWays(v, q, p)...)
	}
	a.setVerdict()
	// A client chooses its way, so one is enough.
	a.Allowed, a.Partly = a.Allowed || a.Partly, false
	return a, nil
}

// ingressWay is the way to the sidecar of the destination.
func ingressWay(v *catalog.View, q Question, from client, p servicePort) Way {
	target := v.TargetPort(p.service, p.port)
	got := authz.DecideIngress(v, authz.IngressRequest{
		Service: p.service.Name, TargetPort: target, Address: from.address, Gateway: from.gateway, Method: q.Method, Path: q.Path, Headers: withHost(q.Headers, p.host()),
	})
	way := Way{Service: p.service.Name.String(), Port: p.port.Number, Protocol: string(p.port.Protocol), Outcome: string(got.Outcome), Missing: got.Missing}
	way.Seen = seenFromOutside(got)
	if got.Policy != nil {
		way.Policies = []string{got.Policy.Name.String()}
	}
	if got.Outcome != authz.Allowed {
		way.Policies = nil
		return way
	}
	for _, account := range v.ServiceIdentities(p.service.Name) {
		e := evaluator{v: v, question: q}
		way.Authorizer = e.authorizer(catalog.ProtocolHTTP)
		way.Authorizers = append(way.Authorizers, e.authorizers(account, catalog.ProtocolHTTP)...)
	}
	slices.Sort(way.Authorizers)
	way.Authorizers = slices.Compact(way.Authorizers)
	return way
}

// seenFromOutside describes the response that the client gets, and what the policy requires of it.
func seenFromOutside(a authz.IngressAnswer) string {
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

// gatewayWays are the ways through the ingress gateway of the mesh. It applies no TrafficSplits with matches.
func (m Mesh) gatewayWays(v *catalog.View, q Question, p servicePort) []Way {
	var ways []Way
	p.leftOut = matchingSplits(v, p)
	for _, l := range gateway.Resolve(v).Listeners {
		for _, host := range l.Hosts {
			for _, rule := range rulesFor(host.Rules, q) {
				if !slices.ContainsFunc(rule.Backends, func(b gateway.Backend) bool {
					return b.Service != nil && b.Service.Name == p.service.Name && b.Port.Number == p.port.Number && b.Weight > 0
				}) {
					continue
				}
				e := evaluator{catalog: m.Catalog, v: v, question: q, caller: identity.ServiceAccount{Namespace: v.Settings().Namespace, Name: names.IngressGateway}}
				for _, way := range e.waysTo(p) {
					way.Gateway = describeRule(l, host, rule)
					m.denyBeyondLimit(e, p, &way)
					if rule.Rule.Unsupported != "" {
						way.Outcome, way.Seen, way.Missing = string(authz.Unavailable), "status 500", "a rule that the gateway supports: "+rule.Rule.Unsupported
					}
					ways = append(ways, way)
				}
			}
		}
	}
	return ways
}

// rulesFor are the rules that may apply to the request of a question, or all. Headers and parameters of matches are not compared.
func rulesFor(rules []gateway.Rule, q Question) []gateway.Rule {
	if !q.asksRequest() {
		return rules
	}
	path, _, _ := strings.Cut(q.Path, "?")
	var found []gateway.Rule
	for _, rule := range rules {
		if rule.Match.Method != "" && rule.Match.Method != q.Method || !matchesPath(rule.Match, path) {
			continue
		}
		found = append(found, rule)
		if len(rule.Match.Headers)+len(rule.Match.Query) == 0 {
			break // it applies to all requests that no rule before it matches
		}
	}
	return found
}

func matchesPath(m catalog.RouteMatch, path string) bool {
	switch m.PathType {
	case "Exact":
		return path == m.Path
	case "RegularExpression":
		expression, err := regexp.Compile("^(?:" + m.Path + ")$")
		return err == nil && expression.MatchString(path)
	}
	prefix := strings.TrimSuffix(m.Path, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// describeRule describes the entry of a way: the address that clients use, and the Gateway.
func describeRule(l gateway.Listener, host gateway.Host, rule gateway.Rule) string {
	scheme := "http"
	if l.TLS {
		scheme = "https"
	}
	text := fmt.Sprintf("%s://%s:%d%s", scheme, host.Domain, l.Port, rule.Match.Path)
	if len(rule.Match.Headers)+len(rule.Match.Query) > 0 {
		text += " (with the headers and parameters of the match)"
	}
	return fmt.Sprintf("%s, listener %s of Gateway %s", text, l.Name, l.Gateway)
}
