package compare

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
)

// compareIngress compares what clients outside the mesh may send to a port of a Service, by IngressBackends.
func (f *flows) compareIngress(id portID) {
	c := ingressComparison{flows: f, id: id, before: openingOf(f.before.view, id), after: openingOf(f.after.view, id)}
	if c.before == nil && c.after == nil {
		return
	}
	var matches []catalog.HTTPMatch
	for _, side := range []*opening{c.before, c.after} {
		if side != nil {
			matches = append(matches, side.matches...)
		}
	}
	for _, client := range append(c.before.clients(), c.after.clients()...) {
		if !slices.Contains(c.compared, client.String()) {
			c.compared = append(c.compared, client.String())
			c.compareClient(client, withoutDuplicates(matches))
		}
	}
}

// opening is a port that an IngressBackend opens.
type opening struct {
	view   *catalog.View
	policy *ingressbackend.Policy
	port   ingressbackend.Port
	// matches select the admitted requests.
	matches []catalog.HTTPMatch
}

// openingOf returns the opening of a port of a Service; nil without one.
func openingOf(v *catalog.View, id portID) *opening {
	service := v.Service(id.service)
	if service == nil || !v.Settings().IngressBackends || len(v.ServiceIdentities(id.service)) == 0 {
		return nil
	}
	i := slices.IndexFunc(service.Ports, func(p inventory.Port) bool { return p.Number == id.port })
	if i < 0 {
		return nil
	}
	policy, port := ingressbackend.InForce(v, id.service, v.TargetPort(service, service.Ports[i]))
	if policy == nil {
		return nil
	}
	o := &opening{view: v, policy: policy, port: port, matches: v.GroupMatches(policy.Name.Namespace, policy.RouteGroups)}
	if len(policy.RouteGroups) == 0 {
		o.matches = []catalog.HTTPMatch{{}}
	}
	return o
}

// outsideClient is a client outside the mesh that a policy names.
type outsideClient struct {
	// address describes where the client is.
	address string
	// examples are addresses of the client, gateway is its Service.
	examples []netip.Addr
	gateway  entity.Name
	// tls is true with TLS, principal is the name in the certificate, and server the requested name.
	tls               bool
	principal, server string
}

// String describes the client.
func (c outsideClient) String() string {
	text := OutsideSource + ", " + c.address
	if c.tls {
		text += ", with TLS"
	}
	if c.principal != "" {
		text += " as " + c.principal
	}
	if c.server != "" {
		text += " to " + c.server
	}
	return text
}

// clients returns the clients that an opening names.
func (o *opening) clients() []outsideClient {
	if o == nil {
		return nil
	}
	var places []outsideClient
	if o.policy.AnyAddress() {
		places = append(places, outsideClient{address: "any address", examples: []netip.Addr{{}}})
	}
	for _, gateway := range o.policy.Gateways {
		places = append(places, outsideClient{address: "Service " + gateway.String(), gateway: gateway, examples: []netip.Addr{{}}})
	}
	for _, prefix := range o.policy.Prefixes {
		places = append(places, outsideClient{address: prefix.String(), examples: endsOf(prefix)})
	}
	principals, servers := []string{""}, []string{""}
	if o.port.TLS && !o.port.SkipClientCertificate {
		principals = o.policy.Principals
	}
	if o.port.TLS && len(o.port.ServerNames) > 0 {
		servers = o.port.ServerNames
	}
	var list []outsideClient
	for _, place := range places {
		for _, principal := range principals {
			for _, server := range servers {
				place.tls, place.principal, place.server = o.port.TLS, principal, server
				list = append(list, place)
			}
		}
	}
	return list
}

// ingressComparison compares what clients outside the mesh may send to a port.
type ingressComparison struct {
	flows         *flows
	id            portID
	before, after *opening
	compared      []string
}

func (c *ingressComparison) compareClient(client outsideClient, matches []catalog.HTTPMatch) {
	requestComparison{
		flows: c.flows, to: c.id.String(),
		evaluate: func(s sample) (before, after reply) {
			for _, address := range client.examples {
				before, after = c.before.evaluate(client, address, s), c.after.evaluate(client, address, s)
				if before.access != after.access {
					break
				}
			}
			return before, after
		},
		add: func(before, after reply, request, example string, _ catalog.HTTPMatch) {
			c.flows.list = append(c.flows.list, outsideFlow(client.String(), c.id.String(), request, example, before, after))
		},
	}.compare(matches)
}

// evaluate evaluates a request of a client.
func (o *opening) evaluate(client outsideClient, address netip.Addr, s sample) reply {
	if o == nil || !o.acceptsTransport(client) {
		return denial(authz.Reset)
	}
	got := authz.DecideIngress(o.view, authz.IngressRequest{
		Service: o.port.Service, TargetPort: o.port.TargetPort, Address: address, Gateway: client.gateway, Method: s.method, Path: s.path, Headers: s.headers,
	})
	if got.Outcome != authz.Allowed {
		return denial(got.Outcome)
	}
	return reply{access: Allowed, policies: []string{"IngressBackend " + o.policy.Name.String()}}
}

// acceptsTransport reports whether a client may connect, whatever its address.
func (o *opening) acceptsTransport(client outsideClient) bool {
	switch {
	case client.tls != o.port.TLS:
		return false
	case !client.tls:
		return true
	case !o.port.SkipClientCertificate && !slices.Contains(o.policy.Principals, client.principal):
		return false
	}
	return len(o.port.ServerNames) == 0 || slices.Contains(o.port.ServerNames, client.server)
}
