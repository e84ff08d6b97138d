package authz

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// DecidePeer returns the outcome of a request of an account of a peer to a port of a Service of this mesh. The source of the request is ignored.
// TrafficSplits and routes of the Service do not apply: those of the client's own mesh do.
func DecidePeer(v *catalog.View, source identity.PeerAccount, r Request) Verdict {
	service := v.Service(r.Service)
	port, ok := portOf(service, r.Port)
	switch export := v.Export(r.Service); {
	case v.Peer(source.Peer) == nil:
		return closedToPeer(fmt.Sprintf("a MeshPeer %s that is accepted", source.Peer))
	case !ok:
		return closedToPeer(fmt.Sprintf("a port %d of the Service %s in the mesh", r.Port, r.Service))
	case export == nil || !export.Includes(source.Peer):
		return closedToPeer(fmt.Sprintf("a ServiceExport %s with the label openservicemesh.io/peer: %s", r.Service, source.Peer))
	}
	candidates := newBackend(v, service, port).candidates(v, netip.Addr{}, false)
	if len(candidates) == 0 {
		return singleAnswer(Answer{Outcome: Unavailable, Service: service.Name, Missing: MissingPod(service.Name)})
	}
	return Verdict{Answers: lists.Map(candidates, func(p candidate) Answer { return p.evaluatePeer(v, source, r) })}
}

// closedToPeer is the verdict on a request that the peer gateway does not forward.
func closedToPeer(missing string) Verdict {
	return singleAnswer(Answer{Outcome: Unavailable, Missing: missing})
}

// evaluatePeer returns the decision of the server's sidecar about a client of a peer.
func (p candidate) evaluatePeer(v *catalog.View, source identity.PeerAccount, r Request) Answer {
	a := Answer{Service: p.service, Destination: p.identity, Port: p.port, Protocol: p.protocol}
	rules := InboundPeerRules(v, p.identity, p.port, p.protocol, source.Peer)
	if !rules.Accepts(source) {
		a.Outcome, a.Missing = Unavailable, missingTarget(source, p.identity, p.port, p.protocol)
		return a
	}
	if !p.protocol.IsHTTP() {
		a.Outcome = Allowed
		for _, rule := range rules.Network {
			if slices.Contains(rule.Sources, source) {
				a.Policies = append(a.Policies, rule.Policy)
			}
		}
		return a
	}
	m, err := serverMessage(r, v.DecodesSlashes(p.service))
	if err != nil {
		a.Outcome, a.Missing = BadRequest, err.Error()
		return a
	}
	evaluatePolicies(&a, v, p, source, sourcesOfPeer(source.Peer), m)
	return a
}
