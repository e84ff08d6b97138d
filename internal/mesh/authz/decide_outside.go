package authz

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
)

// EgressRequest is a call of an application to a destination outside the mesh.
type EgressRequest struct {
	Source identity.ServiceAccount
	// Address and Port are those to which the client connects. An unknown address is in no range except that of all addresses.
	Address netip.Addr
	Port    uint16
	// Protocol is what the client sends: HTTP, TLS (ProtocolHTTPS), or other bytes (ProtocolTCP).
	Protocol inventory.Protocol
	// Host is the host of the request or the server name of the TLS connection; empty for none.
	Host string
	// Method, Path and Headers apply to HTTP. Headers are in order.
	Method, Path string
	Headers      []Header
}

// EgressAnswer is the outcome of an EgressRequest.
type EgressAnswer struct {
	// Outcome is Allowed, NotFound, BadRequest, Unavailable, Reset, Refused or PassedThrough. PassedThrough means that no policy is about the
	// destination, and that the mesh allows egress.
	Outcome Outcome
	// Resolved is true if the sidecar or the egress gateway resolves Host, and does not use Address.
	Resolved bool
	// Gateway is true if the egress gateway forwards the call.
	Gateway bool
	// EncryptedBy is the BackendTLSPolicy by which the sidecar encrypts the call; empty if it sends the call as it is.
	EncryptedBy entity.Name
	// Unencrypted is the BackendTLSPolicy of the host that cannot be used; empty if there is none. No further Egress allows requests to the host.
	Unencrypted entity.Name
	// Host is the host whose policies allow other requests than the one of the call; nil otherwise.
	Host *EgressHost
	// Policies are the Egresses ("<namespace>/<name>") that allow the call.
	Policies []string
	// Missing describes what would allow the call; empty when it is allowed.
	Missing string
}

// DecideEgress returns the outcome of a call to a destination outside the mesh, once the sidecar has the configuration for this view.
func DecideEgress(v *catalog.View, r EgressRequest) EgressAnswer {
	ports := EgressPorts(v, r.Source)
	i := slices.IndexFunc(ports, func(p EgressPort) bool { return p.Number == r.Port })
	if i < 0 {
		return r.unmatched(v)
	}
	port := ports[i]
	host := strings.ToLower(r.Host)
	if r.Protocol == inventory.ProtocolHTTP {
		host = strings.TrimSuffix(host, ":"+strconv.Itoa(int(r.Port)))
	}
	i = slices.IndexFunc(port.Hosts, func(h EgressHost) bool { return h.Host == host })
	// A server name precedes ranges for TLS: the connection must not leave without the egress gateway.
	byServerName := r.Protocol == catalog.ProtocolHTTPS && i >= 0 && port.Hosts[i].TLS
	allowsEverything := port.allowsEverything()
	for _, allowed := range port.Ranges {
		if allowsEverything || allowed.contains(r) && (allowed.Any || !byServerName) {
			return EgressAnswer{Outcome: Allowed, Policies: allowed.Policies}
		}
	}
	if r.Protocol == inventory.ProtocolHTTP && port.HasHTTP() && strings.Contains(r.Path, "#") {
		return EgressAnswer{Outcome: BadRequest, Missing: "a path without a fragment (#)"}
	}
	switch {
	case byServerName:
		return port.Hosts[i].allowed(port.Hosts[i].TLSGateway)
	case r.Protocol == inventory.ProtocolHTTP && i >= 0 && port.Hosts[i].HTTP:
		return port.Hosts[i].evaluate(v, r)
	case r.Protocol == inventory.ProtocolHTTP && port.HasHTTP() && !v.AllowsEgress(r.Source.Namespace):
		return EgressAnswer{Outcome: NotFound, Missing: r.missing(v)}
	}
	return r.unmatched(v)
}

// HasHTTP reports whether sidecars route HTTP requests on the port.
func (p EgressPort) HasHTTP() bool {
	return slices.ContainsFunc(p.Hosts, func(h EgressHost) bool { return h.HTTP })
}

// HasTLS reports whether sidecars read the server names of TLS connections on the port.
func (p EgressPort) HasTLS() bool {
	return slices.ContainsFunc(p.Hosts, func(h EgressHost) bool { return h.TLS }) ||
		slices.ContainsFunc(p.Ranges, func(r EgressRange) bool { return !r.Any })
}

// contains reports whether a range allows the call.
func (e EgressRange) contains(r EgressRequest) bool {
	if !r.Address.IsValid() || !e.Prefix.Contains(r.Address.Unmap()) {
		return false
	}
	return e.Any || r.Protocol == catalog.ProtocolHTTPS && (e.AnyTLS ||
		slices.ContainsFunc(e.ServerNames, func(name string) bool { return matchesServerName(name, r.Host) }))
}

// matchesServerName reports whether a server name is the name, or in the domain of a wildcard.
func matchesServerName(name, requested string) bool {
	requested = strings.ToLower(requested)
	if domain, wildcard := strings.CutPrefix(name, "*"); wildcard {
		return len(requested) > len(domain) && strings.HasSuffix(requested, domain)
	}
	return name == requested
}

// evaluate decides about an HTTP request to the host.
func (h EgressHost) evaluate(v *catalog.View, r EgressRequest) EgressAnswer {
	if !h.Restricted {
		return h.encrypted()
	}
	denied := EgressAnswer{Unencrypted: h.unencrypted(), Host: &h}
	path, _, _ := strings.Cut(r.Path, "?")
	if fullMatch(AmbiguousPath, path) {
		denied.Outcome, denied.Missing = BadRequest, "a path that every server reads in the same way"
		return denied
	}
	m := clientMessage(Request{Method: r.Method, Path: r.Path, Headers: append([]Header{{Name: ":authority", Value: r.Host}}, r.Headers...)})
	if slices.ContainsFunc(h.Matches, m.matches) {
		return h.encrypted()
	}
	denied.Outcome, denied.Missing = NotFound, r.missing(v)
	return denied
}

// encrypted is the answer to a request that the host's policies allow: it is not forwarded if it cannot be encrypted as a BackendTLSPolicy demands.
func (h EgressHost) encrypted() EgressAnswer {
	if policy := h.unencrypted(); policy != (entity.Name{}) {
		return EgressAnswer{Outcome: Unavailable, Unencrypted: policy, Missing: fmt.Sprintf("a BackendTLSPolicy that can be used, see the status of %s: requests to %s are not sent without encryption", policy, h.Host)}
	}
	answer := h.allowed(h.HTTPGateway)
	if h.BackendTLS != nil {
		answer.EncryptedBy = h.BackendTLS.Policy
	}
	return answer
}

// unencrypted is the BackendTLSPolicy of the host that cannot be used; empty if there is none.
func (h EgressHost) unencrypted() entity.Name {
	if h.BackendTLS == nil || !h.BackendTLS.Unusable {
		return entity.Name{}
	}
	return h.BackendTLS.Policy
}

// allowed is the answer to a call that the host's policies allow, and that the egress gateway forwards because of one of them, unless it is empty.
func (h EgressHost) allowed(gateway entity.Name) EgressAnswer {
	a := EgressAnswer{Outcome: Allowed, Resolved: true, Policies: h.Policies}
	if gateway != (entity.Name{}) {
		a.Gateway, a.Policies = true, []string{gateway.String()}
	}
	return a
}

// AmbiguousPath matches the paths that an outside server may read differently from the sidecar. Where an Egress restricts paths,
// sidecars deny them: they cannot normalise a path without changing what the server receives.
const AmbiguousPath = `.*(//|\\|%2[eEfF]|%5[cC]|/\.\.?[/;]).*|.*/\.\.?`

// unmatched is the answer to a call that no policy is about.
func (r EgressRequest) unmatched(v *catalog.View) EgressAnswer {
	a := EgressAnswer{Outcome: Refused, Missing: r.missing(v)}
	switch {
	case v.AllowsEgress(r.Source.Namespace):
		return EgressAnswer{Outcome: PassedThrough}
	case HasDestinations(v, r.Source):
		a.Outcome = Reset
	}
	return a
}

// NeedsAddress reports whether only an Egress with addresses can allow the call.
func (r EgressRequest) NeedsAddress() bool {
	return r.Protocol != inventory.ProtocolHTTP && (r.Protocol != catalog.ProtocolHTTPS || isAddress(r.Host) || r.Host == "")
}

// missing describes the policy that would allow the call.
func (r EgressRequest) missing(v *catalog.View) string {
	if r.NeedsAddress() && v.RequiresEgressGateway(r.Source.Namespace) {
		return fmt.Sprintf("a host that the egress gateway can look up: the namespace %s requires the gateway, which forwards http, and https to hosts with a name", r.Source.Namespace)
	}
	what := "tcp"
	switch r.Protocol {
	case inventory.ProtocolHTTP:
		what = fmt.Sprintf("http, the host %s, and requests such as %s %.100s", r.Host, r.Method, r.Path)
	case catalog.ProtocolHTTPS:
		what = "https and the host " + r.Host
	}
	return fmt.Sprintf("an Egress in namespace %s from %s with the port %d, the protocol %s", r.Source.Namespace, r.Source, r.Port, what)
}

// IngressRequest is a request of a client outside the mesh to a port of a pod.
type IngressRequest struct {
	Service    entity.Name
	TargetPort uint16
	// Address is that of the client. An unknown address is one that may connect.
	Address netip.Addr
	// Gateway is the Service of the client; empty for others.
	Gateway entity.Name
	// Method, Path and Headers are the request. An empty path means any request.
	Method, Path string
	Headers      []Header
}

// IngressAnswer is the outcome of an IngressRequest.
type IngressAnswer struct {
	// Outcome is Allowed, NotFound, BadRequest, or Reset if the connection is closed.
	Outcome Outcome
	// Policy is the IngressBackend in force for the port; nil for none. Port is its part about the port.
	Policy *ingressbackend.Policy
	Port   ingressbackend.Port
	// Missing describes what would allow the request; empty when it is allowed.
	Missing string
}

// DecideIngress returns the outcome of a request from outside the mesh. Whether the client has the certificate that Policy and Port require
// is not known. Permissive mode admits no client from outside.
func DecideIngress(v *catalog.View, r IngressRequest) IngressAnswer {
	if !v.Settings().IngressBackends {
		return IngressAnswer{Outcome: Reset, Missing: "spec.featureFlags.enableIngressBackendPolicy of the MeshConfig, which enables IngressBackends"}
	}
	policy, port := ingressbackend.InForce(v, r.Service, r.TargetPort)
	if policy == nil {
		return IngressAnswer{Outcome: Reset, Missing: fmt.Sprintf("an IngressBackend in namespace %s with the port %d of Service %s", r.Service.Namespace, r.TargetPort, r.Service.Name)}
	}
	answer := IngressAnswer{Outcome: Allowed, Policy: policy, Port: port}
	if missing := r.missingSource(v, policy); missing != "" {
		answer.Outcome, answer.Missing = Reset, missing
		return answer
	}
	if r.Path != "" {
		answer.evaluateRequest(v, r)
	}
	return answer
}

// missingSource describes why a policy does not admit the address of the client; empty if it does.
func (r IngressRequest) missingSource(v *catalog.View, policy *ingressbackend.Policy) string {
	if policy.AnyAddress() {
		return ""
	}
	switch {
	case r.Gateway != (entity.Name{}):
		if slices.Contains(policy.Gateways, r.Gateway) {
			return ""
		}
		addresses := v.Addresses(r.Gateway)
		if len(addresses) == 0 || slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !admits(v, policy, a) }) {
			return fmt.Sprintf("the Service %s among the sources of IngressBackend %s", r.Gateway, policy.Name)
		}
	case r.Address.IsValid() && !admits(v, policy, r.Address):
		return fmt.Sprintf("the address %s among the sources of IngressBackend %s", r.Address, policy.Name)
	}
	return ""
}

// admits reports whether an address is in a range of the policy, or behind one of its gateways.
func admits(v *catalog.View, policy *ingressbackend.Policy, address netip.Addr) bool {
	return slices.ContainsFunc(policy.Prefixes, func(p netip.Prefix) bool { return p.Contains(address) }) ||
		slices.ContainsFunc(policy.Gateways, func(g entity.Name) bool { return slices.Contains(v.Addresses(g), address) })
}

func (a *IngressAnswer) evaluateRequest(v *catalog.View, r IngressRequest) {
	m, err := serverMessage(Request{Method: r.Method, Path: r.Path, Headers: r.Headers}, v.DecodesSlashes(r.Service))
	if err != nil {
		a.Outcome, a.Missing = BadRequest, err.Error()
		return
	}
	if len(a.Policy.RouteGroups) == 0 || slices.ContainsFunc(v.GroupMatches(a.Policy.Name.Namespace, a.Policy.RouteGroups), m.matches) {
		return
	}
	a.Outcome, a.Missing = NotFound, fmt.Sprintf("an HTTPRouteGroup match for %s %.100s, with the request's headers, among the matches of IngressBackend %s", m.method, m.path, a.Policy.Name)
}
