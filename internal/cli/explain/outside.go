package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// schemes maps the schemes of URLs to the protocols of Egress policies and their default ports.
var schemes = map[string]struct {
	protocol inventory.Protocol
	port     uint16
}{
	"http": {inventory.ProtocolHTTP, 80}, "https": {catalog.ProtocolHTTPS, 443}, "tcp": {inventory.ProtocolTCP, 0},
}

// outsideOf returns the destination of a URL as one outside the mesh; nil if the URL has another scheme or no port.
func outsideOf(address *url.URL) *authz.EgressRequest {
	scheme, known := schemes[address.Scheme]
	port, _ := strconv.ParseUint(address.Port(), 10, 16)
	number := cmp.Or(uint16(port), scheme.port)
	if !known || number == 0 {
		return nil
	}
	r := &authz.EgressRequest{Host: address.Hostname(), Port: number, Protocol: scheme.protocol}
	r.Address, _ = netip.ParseAddr(address.Hostname())
	return r
}

// evaluateEgress answers a question about a destination outside the mesh.
func (m Mesh) evaluateEgress(v *catalog.View, q Question, from party) (*Answer, error) {
	r := *q.Outside
	a := &Answer{From: from.what, To: fmt.Sprintf("%s port %d, outside the mesh", r.Host, r.Port), Candidates: []Candidate{}, Outside: true}
	a.Teardown, a.Missing = m.teardownNote(v.Settings()), m.membership(v, from, from)
	caller, err := from.caller(v)
	if err != nil {
		return nil, err
	}
	r.Source = caller
	if r.Protocol == inventory.ProtocolHTTP {
		r.Method, r.Path, r.Headers = cmp.Or(q.Method, "GET"), cmp.Or(q.Path, "/"), q.Headers
		a.Request = r.Method + " " + r.Path
	}
	got := authz.DecideEgress(v, r)
	candidate := Candidate{
		Service: r.Host, Port: r.Port, Protocol: string(r.Protocol), Outcome: string(got.Outcome), Response: egressResponse(got, r),
		Policies: got.Policies, Missing: got.Missing,
	}
	forwarded := isForwarded(v, got, r)
	if !forwarded {
		candidate.denyForwarding(r)
	}
	m.denyUnreachable(v, got, r, &candidate)
	if got.Outcome == authz.PassedThrough {
		candidate.Outcome = string(authz.Allowed)
	}
	a.Candidates = append(a.Candidates, candidate)
	a.setVerdict()
	// Sidecars reject a path with a fragment. Another Egress does not replace a BackendTLSPolicy that cannot be used.
	if !forwarded || got.Outcome == authz.Allowed || got.Outcome == authz.Unavailable || strings.Contains(r.Path, "#") {
		return a, nil
	}
	if !a.Allowed && r.NeedsAddress() && v.RequiresEgressGateway(r.Source.Namespace) {
		a.Missing = append(a.Missing, diagnosis.Fail(
			"use http or https with the name of a host, or remove the annotation "+names.EgressGatewayAnnotation+" of the namespace",
			"the namespace %s sends everything through the egress gateway, which looks up hosts", r.Source.Namespace,
		))
		return a, nil
	}
	if !a.Allowed {
		a.Missing = append(a.Missing, limitedEgress(v, caller)...)
		a.Missing = append(a.Missing, unencrypted(got, r)...)
		a.Remedy, a.RemedySuffices = []*unstructured.Unstructured{egressFor(r)}, v.Settings().EgressPolicies && got.Unencrypted == (entity.Name{})
		if !v.Settings().EgressPolicies {
			a.Missing = append(a.Missing, diagnosis.Fail("set spec.featureFlags.enableEgressPolicy of the MeshConfig to true", "Egress policies are disabled in the mesh"))
		}
	}
	return a, nil
}

// unencrypted says which BackendTLSPolicy keeps requests to the host from being sent, whatever Egresses allow; nil if there is none.
func unencrypted(got authz.EgressAnswer, r authz.EgressRequest) []diagnosis.Finding {
	if got.Unencrypted == (entity.Name{}) {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Fail(
		fmt.Sprintf("mend the BackendTLSPolicy: kubectl describe backendtlspolicy %s -n %s says what is wrong", got.Unencrypted.Name, got.Unencrypted.Namespace),
		"requests to %s are not sent without encryption, and the BackendTLSPolicy %s cannot be used", r.Host, got.Unencrypted,
	)}
}

// denyUnreachable makes an allowed candidate one to a destination that cannot be reached: without an egress gateway, or by the conditions of its
// policies.
func (m Mesh) denyUnreachable(v *catalog.View, got authz.EgressAnswer, r authz.EgressRequest, candidate *Candidate) {
	if got.Gateway && len(v.EgressGatewayAddresses()) == 0 {
		candidate.deny(authz.Unavailable,
			response(authz.Unavailable, r.Protocol)+", because the mesh has no egress gateway: set spec.egressGateway.mode of the Mesh to Managed", candidate.Missing)
		return
	}
	if !candidate.isAllowed() || !got.Resolved || m.Unavailable == nil {
		return
	}
	for _, policy := range got.Policies {
		message := m.Unavailable(entity.KindEgress.Ref(nameOf(policy)))
		// A message without hosts is about all of them.
		if message != "" && (!strings.Contains(message, "spec.hosts") || strings.Contains(message, strings.ToLower(r.Host))) {
			candidate.deny(authz.Unavailable, response(authz.Unavailable, r.Protocol), "an address of the destination: "+message)
			return
		}
	}
}

// egressResponse describes the result for the client.
func egressResponse(a authz.EgressAnswer, r authz.EgressRequest) string {
	switch {
	case a.Outcome == authz.Allowed && a.Gateway:
		return "it reaches an address of " + r.Host + " through the egress gateway, which looks it up"
	case a.Outcome == authz.Allowed && a.Resolved:
		return "it reaches an address of " + r.Host + ", which the sidecar looks up"
	case a.Outcome == authz.Allowed:
		return "it reaches the address that the client chose"
	case a.Outcome == authz.PassedThrough:
		return "it reaches the address that the client chose, because the mesh allows egress and no Egress is about this destination"
	case a.Outcome == authz.NotFound:
		return "status 404 (no Egress allows it)"
	}
	return response(a.Outcome, r.Protocol)
}

// egressFor returns an Egress that allows the call.
func egressFor(r authz.EgressRequest) *unstructured.Unstructured {
	u := kinds.Object(kinds.Egress)
	u.SetNamespace(r.Source.Namespace)
	u.SetName(label(fmt.Sprintf("%s-to-%s-%d", r.Source.Name, r.Host, r.Port)))
	spec := map[string]any{
		"sources": []any{account(r.Source)},
		"ports":   []any{map[string]any{"number": int64(r.Port), "protocol": string(r.Protocol)}},
	}
	if r.Address.IsValid() && r.Protocol != inventory.ProtocolHTTP {
		spec["ipAddresses"] = []any{netip.PrefixFrom(r.Address, r.Address.BitLen()).String()}
	} else if r.Protocol != inventory.ProtocolTCP {
		spec["hosts"] = []any{r.Host}
	}
	u.Object["spec"] = spec
	return u
}
