package compare

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// egressSetting is the setting that allows all destinations outside the mesh.
const egressSetting = "MeshConfig, spec.traffic.enableEgress"

// compareEgressSetting compares traffic to destinations outside the mesh.
func (f *flows) compareEgressSetting() {
	before, after := f.before.view.Settings().Egress, f.after.view.Settings().Egress
	if before == after {
		return
	}
	f.list = append(f.list, Flow{
		From: AnySource, To: "destinations outside the mesh", Request: "connections",
		Before: accessIf[before], After: accessIf[after], By: []string{egressSetting},
	})
}

// compareRequiredGateway compares the destinations that no Egress is about, for the sources whose namespace begins or ceases to require the
// egress gateway.
func (f *flows) compareRequiredGateway(source identity.ServiceAccount) {
	before, after := f.before.view.AllowsEgress(source.Namespace), f.after.view.AllowsEgress(source.Namespace)
	if before == after || f.before.view.Settings().Egress != f.after.view.Settings().Egress {
		return
	}
	f.add(source, Flow{
		To: "destinations outside the mesh", Request: "connections that no Egress allows",
		Before: accessIf[before], After: accessIf[after], By: []string{"the annotation " + names.EgressGatewayAnnotation + " of namespace " + source.Namespace},
	})
}

// compareEgressPolicies compares the destinations outside the mesh that Egresses allow.
func (f *flows) compareEgressPolicies() {
	for _, source := range slices.SortedFunc(maps.Keys(f.running), identity.ServiceAccount.Compare) {
		f.compareRequiredGateway(source)
		before, after := authz.EgressPorts(f.before.view, source), authz.EgressPorts(f.after.view, source)
		if reflect.DeepEqual(before, after) {
			continue
		}
		f.compareEncryption(source, before, after)
		c := egressComparison{flows: f, source: source}
		hosts := map[outsideHost][]catalog.HTTPMatch{}
		for _, port := range slices.Concat(before, after) {
			c.addPort(port, hosts)
		}
		for _, host := range slices.SortedFunc(maps.Keys(hosts), outsideHost.compare) {
			c.compareRequests(host, withoutDuplicates(hosts[host]))
		}
		for _, call := range c.sortedCalls() {
			c.compareCall(call)
		}
	}
}

// outsideHost is a host outside the mesh with a port.
type outsideHost struct {
	name string
	port uint16
}

func (h outsideHost) String() string { return fmt.Sprintf("%s:%d", h.name, h.port) }

func (h outsideHost) compare(other outsideHost) int {
	return cmp.Or(cmp.Compare(h.name, other.name), cmp.Compare(h.port, other.port))
}

// egressComparison compares what a source may send to destinations outside the mesh.
type egressComparison struct {
	flows  *flows
	source identity.ServiceAccount
	calls  []outsideCall
}

// outsideCall is a connection to a destination outside the mesh.
type outsideCall struct {
	to, request string
	// examples are the connections to evaluate.
	examples []authz.EgressRequest
}

// addPort adds the destinations on a port: the requests to hosts, and the connections.
func (c *egressComparison) addPort(port authz.EgressPort, hosts map[outsideHost][]catalog.HTTPMatch) {
	for _, host := range port.Hosts {
		id := outsideHost{host.Host, port.Number}
		switch {
		case host.HTTP && host.Restricted:
			hosts[id] = append(hosts[id], host.Matches...)
		case host.HTTP:
			hosts[id] = append(hosts[id], catalog.HTTPMatch{})
		}
		if host.TLS {
			c.addCall(fmt.Sprintf("%s:%d", host.Host, port.Number), "TLS connections", authz.EgressRequest{Port: port.Number, Protocol: catalog.ProtocolHTTPS, Host: host.Host})
		}
	}
	for _, r := range port.Ranges {
		to := fmt.Sprintf("%s port %d", r.Prefix, port.Number)
		ends := func(protocol inventory.Protocol, host string) []authz.EgressRequest {
			return lists.Map(endsOf(r.Prefix), func(address netip.Addr) authz.EgressRequest {
				return authz.EgressRequest{Address: address, Port: port.Number, Protocol: protocol, Host: host}
			})
		}
		if r.Any {
			c.addCall(to, "connections", ends(inventory.ProtocolTCP, "")...)
		}
		if r.AnyTLS {
			c.addCall(to, "TLS connections", ends(catalog.ProtocolHTTPS, "any.invalid")...)
		}
		for _, name := range r.ServerNames {
			c.addCall(to, "TLS connections to "+name, ends(catalog.ProtocolHTTPS, strings.Replace(name, "*", "any", 1))...)
		}
	}
}

func (c *egressComparison) addCall(to, request string, examples ...authz.EgressRequest) {
	c.calls = append(c.calls, outsideCall{to, request, examples})
}

// sortedCalls returns each call once.
func (c *egressComparison) sortedCalls() []outsideCall {
	slices.SortStableFunc(c.calls, func(a, b outsideCall) int { return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.request, b.request)) })
	return slices.CompactFunc(c.calls, func(a, b outsideCall) bool { return a.to == b.to && a.request == b.request })
}

// endsOf returns the first and the last address of a range: ranges of the other side may include only one of them.
func endsOf(prefix netip.Prefix) []netip.Addr {
	last := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	end, _ := netip.AddrFromSlice(last)
	return slices.Compact([]netip.Addr{prefix.Masked().Addr(), end})
}

func (c *egressComparison) compareRequests(host outsideHost, matches []catalog.HTTPMatch) {
	to := host.String()
	requestComparison{
		flows: c.flows, to: to,
		evaluate: func(s sample) (before, after reply) {
			// The name of the host is part of the call.
			headers := slices.DeleteFunc(slices.Clone(s.headers), func(h authz.Header) bool { return h.Name == ":authority" })
			return c.evaluate(authz.EgressRequest{
				Port: host.port, Protocol: inventory.ProtocolHTTP, Host: host.name, Method: s.method,
				Path: s.path, Headers: headers,
			})
		},
		add: func(before, after reply, request, example string, _ catalog.HTTPMatch) {
			c.add(outsideFlow("", to, request, example, before, after))
		},
	}.compare(matches)
}

func (c *egressComparison) compareCall(call outsideCall) {
	for _, example := range call.examples {
		if before, after := c.evaluate(example); before.access != after.access {
			c.add(outsideFlow("", call.to, call.request, "", before, after))
			return
		}
	}
}

func (c *egressComparison) add(flow Flow) {
	flow.To += ", outside the mesh"
	c.flows.add(c.source, flow)
}

// evaluate evaluates a call on both sides.
func (c *egressComparison) evaluate(call authz.EgressRequest) (before, after reply) {
	call.Source = c.source
	return replyToEgress(authz.DecideEgress(c.flows.before.view, call)), replyToEgress(authz.DecideEgress(c.flows.after.view, call))
}

func replyToEgress(a authz.EgressAnswer) reply {
	switch a.Outcome {
	case authz.Allowed:
		return reply{access: Allowed, policies: prefixed("Egress", a.Policies)}
	case authz.PassedThrough:
		return reply{access: Allowed, policies: []string{egressSetting}}
	}
	return denial(a.Outcome)
}

// Encryption is a change of how a sidecar encrypts the requests of its application to a host outside the mesh.
type Encryption struct {
	// From is a service account, "<namespace>/<name>", and To "<host>:<port>".
	From string `json:"from"`
	To   string `json:"to"`
	// Before and After are the BackendTLSPolicies that encrypt the requests, "<namespace>/<name>". Without one, they leave the mesh as they are.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// compareEncryption compares the hosts to which a source may send requests on both sides. Requests that a policy denies are flows.
func (f *flows) compareEncryption(source identity.ServiceAccount, before, after []authz.EgressPort) {
	old, current := encryptionOf(before), encryptionOf(after)
	for _, host := range slices.SortedFunc(maps.Keys(current), outsideHost.compare) {
		earlier, existed := old[host]
		if existed && earlier != current[host] {
			f.encryptions = append(f.encryptions, Encryption{From: entity.Name(source).String(), To: host.String(), Before: earlier, After: current[host]})
		}
	}
}

// encryptionOf returns the policy for each host with requests; empty for none. Hosts whose requests cannot be encrypted are omitted.
func encryptionOf(ports []authz.EgressPort) map[outsideHost]string {
	hosts := map[outsideHost]string{}
	for _, port := range ports {
		for _, host := range port.Hosts {
			id := outsideHost{host.Host, port.Number}
			switch {
			case !host.HTTP, host.BackendTLS != nil && host.BackendTLS.Unusable:
			case host.BackendTLS != nil:
				hosts[id] = host.BackendTLS.Policy.String()
			default:
				hosts[id] = ""
			}
		}
	}
	return hosts
}
