package authz

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// IngressRequest is a request of a client outside the mesh to a port of a pod.
type IngressRequest struct {
	Service    catalog.Name
	TargetPort uint16
	// Address is that of the client. An unknown address is one that may connect.
	Address netip.Addr
	// Gateway is the Service of the client; empty for others.
	Gateway catalog.Name
	// Method, Path and Headers are the request. An empty path means any request.
	Method, Path string
	Headers      []Header
}

// IngressAnswer is the outcome of an IngressRequest.
type IngressAnswer struct {
	// Outcome is Allowed, NotFound, BadRequest, or Reset if the connection is closed.
	Outcome Outcome
	// Policy is the IngressBackend in force for the port; nil for none. Port is its part about the port.
	Policy *catalog.IngressBackend
	Port   catalog.IngressPort
	// Missing describes what would allow the request; empty when it is allowed.
	Missing string
}

// DecideIngress returns the outcome of a request from outside the mesh. Whether the client has the certificate that Policy and Port require
// is not known. Permissive mode admits no client from outside.
func DecideIngress(v *catalog.View, r IngressRequest) IngressAnswer {
	if !v.Settings().IngressBackends {
		return IngressAnswer{Outcome: Reset, Missing: "spec.featureFlags.enableIngressBackendPolicy of the MeshConfig, which enables IngressBackends"}
	}
	policy, port := v.IngressBackend(r.Service, r.TargetPort)
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
func (r IngressRequest) missingSource(v *catalog.View, policy *catalog.IngressBackend) string {
	if policy.AnyAddress() {
		return ""
	}
	switch {
	case r.Gateway != (catalog.Name{}):
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
func admits(v *catalog.View, policy *catalog.IngressBackend, address netip.Addr) bool {
	return slices.ContainsFunc(policy.Prefixes, func(p netip.Prefix) bool { return p.Contains(address) }) ||
		slices.ContainsFunc(policy.Gateways, func(g catalog.Name) bool { return slices.Contains(v.Addresses(g), address) })
}

func (a *IngressAnswer) evaluateRequest(v *catalog.View, r IngressRequest) {
	m, err := serverMessage(Request{Method: r.Method, Path: r.Path, Headers: r.Headers})
	if err != nil {
		a.Outcome, a.Missing = BadRequest, err.Error()
		return
	}
	if len(a.Policy.RouteGroups) == 0 {
		return
	}
	for _, name := range a.Policy.RouteGroups {
		group := v.HTTPRouteGroup(catalog.Name{Namespace: a.Policy.Name.Namespace, Name: name})
		if group != nil && slices.ContainsFunc(group.Matches, m.matches) {
			return
		}
	}
	a.Outcome, a.Missing = NotFound, fmt.Sprintf("an HTTPRouteGroup match for %s %.100s, with the request's headers, among the matches of IngressBackend %s", m.method, m.path, a.Policy.Name)
}
