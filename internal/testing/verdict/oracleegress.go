package verdict

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// expectEgress returns the expected result of a request to a server outside the mesh.
func (o *oracle) expectEgress(r Request) expectation {
	call := egressCall(r)
	answer := authz.DecideEgress(o.catalog.View(), call)
	seen := observationOutside(r, call, answer)
	e := expectation{seen: map[string]bool{seen: true}, servers: map[string]bool{seen: true}, direction: egress}
	e.verdict = authz.Decide(o.catalog.View(), question(r)) // no Service has the address
	e.verdict.Answers = []authz.Answer{{Outcome: answer.Outcome, Policies: answer.Policies, Missing: answer.Missing}}
	e.disagreement = egressDisagreement(answer, o.reference.DecideEgress(referenceCall(call)))
	// An edit that changes only which policy or protocol allows a request must not fail it.
	e.route, e.listener = "egress: "+seen, "egress: "+seen
	return e
}

// egressCall returns a request as one of the policy engine.
func egressCall(r Request) authz.EgressRequest {
	call := authz.EgressRequest{
		Source: question(r).Source, Address: r.To.Addr(), Port: r.To.Port(), Protocol: catalog.ProtocolTCP, Method: r.Method, Path: r.Path,
	}
	if r.protocol() == catalog.ProtocolHTTP {
		call.Protocol, call.Host, call.Headers = catalog.ProtocolHTTP, r.Headers[0].Value, r.Headers[1:]
	}
	return call
}

// observationOutside returns the observation for an answer of the policy engine.
func observationOutside(r Request, call authz.EgressRequest, a authz.EgressAnswer) string {
	switch a.Outcome {
	case authz.Allowed, authz.PassedThrough:
		if a.Resolved {
			host := netip.MustParseAddr(strings.TrimSuffix(call.Host, ":"+strconv.Itoa(int(call.Port))))
			return netip.AddrPortFrom(host, call.Port).String()
		}
		return r.To.String()
	case authz.NotFound:
		return "404"
	case authz.BadRequest:
		return "400"
	case authz.Refused:
		return refused
	}
	return closed
}

// referenceCall returns a call in the form of the reference.
func referenceCall(r authz.EgressRequest) reference.EgressCall {
	call := reference.EgressCall{Source: types.NamespacedName(r.Source), Port: int32(r.Port), Sends: string(r.Protocol), Host: r.Host, Method: r.Method, Path: r.Path}
	if r.Address.IsValid() {
		call.Address = r.Address.String()
	}
	for _, h := range r.Headers {
		call.Headers = append(call.Headers, [2]string{h.Name, h.Value})
	}
	return call
}

// egressDisagreement describes how an answer differs from the result of the reference; empty if they agree.
func egressDisagreement(a authz.EgressAnswer, result reference.EgressResult) string {
	engine := reference.EgressResult{Outcome: outcomes[a.Outcome], ByName: a.Resolved}
	if engine == result {
		return ""
	}
	return fmt.Sprintf("the policy engine decides %+v, the reference %+v", engine, result)
}
