package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// compareGateways compares what clients outside the mesh may send through the ingress gateway.
func (f *flows) compareGateways() {
	before, after := hostsOfGateways(f.before.view), hostsOfGateways(f.after.view)
	ids := maps.Clone(before)
	maps.Copy(ids, after)
	for _, id := range slices.SortedFunc(maps.Keys(ids), gatewayID.compare) {
		one, other := before.find(id), after.find(id)
		if ids[id].listener.RoutesConnections() {
			f.compareGatewayConnections(id, one, other)
			continue
		}
		f.compareGatewayRequests(id.String(), one, other, false)
		if one.demandsCertificate() || other.demandsCertificate() {
			f.compareGatewayRequests(id.String()+" with a client certificate", one, other, true)
		}
	}
}

// compareGatewayRequests compares the requests to a URL of clients with a certificate, or without one.
func (f *flows) compareGatewayRequests(url string, one, other *gatewayHost, hasCertificate bool) {
	requestComparison{
		flows: f, to: url,
		evaluate: func(s sample) (reply, reply) {
			return one.evaluate(s, hasCertificate), other.evaluate(s, hasCertificate)
		},
		add: func(before, after reply, request, example string, _ catalog.HTTPMatch) {
			f.list = append(f.list, outsideFlow(OutsideSource, url, request, example, before, after))
		},
	}.compare(withoutDuplicates(one.matches(f), other.matches(f)))
}

// compareGatewayConnections compares the connections to a host.
func (f *flows) compareGatewayConnections(id gatewayID, one, other *gatewayHost) {
	if before, after := one.connect(), other.connect(); before.access != after.access {
		f.list = append(f.list, outsideFlow(OutsideSource, id.String(), "connections", "", before, after))
	}
}

// gatewayID identifies a host of the ingress gateway. Gateways that have pods of their own can have the same ones.
type gatewayID struct {
	scheme, domain string
	port           uint16
	// dedicated is the Gateway, if it has pods of its own.
	dedicated entity.Name
}

func (id gatewayID) String() string {
	text := fmt.Sprintf("%s://%s:%d", id.scheme, id.domain, id.port)
	if id.dedicated != (entity.Name{}) {
		text += " at Gateway " + id.dedicated.String()
	}
	return text
}

func (id gatewayID) compare(other gatewayID) int { return strings.Compare(id.String(), other.String()) }

// gatewayHost is a host of a listener of the ingress gateway.
type gatewayHost struct {
	view     *catalog.View
	listener gateway.Listener
	host     gateway.Host
}

// gatewayHosts are the hosts of the ingress gateway.
type gatewayHosts map[gatewayID]*gatewayHost

func hostsOfGateways(v *catalog.View) gatewayHosts {
	hosts := gatewayHosts{}
	for _, l := range gateway.Resolve(v).Listeners {
		for _, host := range l.Hosts {
			id := gatewayID{scheme: l.Scheme(), domain: host.Domain, port: l.Port}
			if l.Dedicated {
				id.dedicated = l.Gateway
			}
			hosts[id] = &gatewayHost{v, l, host}
		}
	}
	return hosts
}

// find returns the most specific host that includes the domain of another one; nil without any.
func (hosts gatewayHosts) find(id gatewayID) *gatewayHost {
	domain := id.domain
	for _, wider := range gateway.DomainsOf(domain) {
		id.domain = wider
		if found := hosts[id]; found != nil {
			host := *found
			host.host.Domain = domain
			return &host
		}
	}
	return nil
}

// demandsCertificate reports whether clients need a certificate.
func (h *gatewayHost) demandsCertificate() bool {
	return h != nil && h.listener.Clients != nil && !h.listener.Clients.AllowInvalid
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
	match := authz.ExpressionsOf(m)
	if m.PathType == catalog.PathPrefix {
		match.PathRegex = cmp.Or(match.PathRegex, "/.*")
	}
	return match
}

// evaluate evaluates a request of a client with a certificate, or without one: the first rule that matches it decides.
func (h *gatewayHost) evaluate(s sample, hasCertificate bool) reply {
	switch {
	case h == nil:
		return reply{access: Denied, seen: "the ingress gateway does not serve the host"}
	case h.demandsCertificate() && !hasCertificate:
		return reply{access: Denied, seen: "the listener demands a client certificate"}
	}
	r := authz.Request{Method: s.method, Path: s.path, Headers: append([]authz.Header{{Name: ":authority", Value: h.host.Domain}}, s.headers...)}
	for _, rule := range h.host.Rules {
		if len(rule.Match.Query) == 0 && authz.SelectsRequest(&rule.Match, r) {
			return h.forward(rule, r)
		}
	}
	return denial(authz.NotFound)
}

// forward evaluates a request that a rule selects: the sidecars of its backends authorize the gateway.
func (h *gatewayHost) forward(rule gateway.Rule, r authz.Request) reply {
	switch {
	case rule.Rule.Unsupported != "":
		return reply{access: Denied, seen: "status 500"}
	case rule.Rule.Filters.Redirect != nil:
		return reply{access: Allowed, policies: []string{h.owner()}}
	case rule.IsDenied(h.view) && slices.ContainsFunc(rule.Backends, func(b gateway.Backend) bool { return b.Service != nil }):
		return reply{access: Denied, seen: "status 403"}
	}
	return h.send(rule, authz.EditRequest(r, &rule.Match, rule.Rule.Filters))
}

// connect evaluates a connection: that of the only rule, or it is closed.
func (h *gatewayHost) connect() reply {
	if h == nil || len(h.host.Rules) == 0 || h.host.Rules[0].IsDenied(h.view) {
		return denial(authz.Reset)
	}
	return h.send(h.host.Rules[0], authz.Request{ServerName: h.host.Domain})
}

// send evaluates what the gateway sends to the backends of a rule.
func (h *gatewayHost) send(rule gateway.Rule, r authz.Request) reply {
	r.Source = h.view.GatewayAccount(names.IngressGateway)
	var all authz.Verdict
	for _, b := range rule.Backends {
		switch {
		case b.Weight == 0:
		case b.Service == nil:
			all.Answers = append(all.Answers, authz.Answer{Outcome: authz.Unavailable})
		default:
			r.Service, r.Port = b.Service.Name, b.Port.Number
			all.Answers = append(all.Answers, authz.DecideForwarded(h.view, r).Answers...)
		}
	}
	got := replyOf(all)
	got.policies = append([]string{h.owner()}, prefixed("TrafficTarget", got.policies)...)
	return got
}

// owner names the listener.
func (h *gatewayHost) owner() string {
	return fmt.Sprintf("listener %s of Gateway %s", h.listener.Name, h.listener.Gateway)
}
