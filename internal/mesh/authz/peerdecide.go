package authz

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// DecidePeer returns the outcome of a request of an account of a peer to a port of a Service of this mesh. The source of the request is ignored.
// TrafficSplits and routes of the Service do not apply: those of the client's own mesh do.
func DecidePeer(v *catalog.View, source identity.PeerAccount, r Request) Verdict {
	if missing := closedToPeer(v, source.Peer, r); missing != "" {
		return singleAnswer(Answer{Outcome: Unavailable, Missing: missing})
	}
	service := v.Service(r.Service)
	port, _ := portOf(service, r.Port)
	candidates := newBackend(v, service, port).candidates(v, netip.Addr{}, false)
	if len(candidates) == 0 {
		return singleAnswer(Answer{Outcome: Unavailable, Service: service.Name, Missing: MissingPod(service.Name)})
	}
	return Verdict{Answers: lists.Map(candidates, func(p candidate) Answer { return p.evaluatePeer(v, source, r) })}
}

// DecideAnyPeer returns whether an account of a peer may send any HTTP request at all to a port of a Service, whether its pods are ready or not.
func DecideAnyPeer(v *catalog.View, source identity.PeerAccount, r Request) Verdict {
	if missing := closedToPeer(v, source.Peer, r); missing != "" {
		return singleAnswer(Answer{Outcome: Unavailable, Missing: missing})
	}
	destinations := PeerDestinations(v, r.Service, r.Port)
	if len(destinations) == 0 {
		return singleAnswer(Answer{Outcome: Unavailable, Missing: MissingDestination(r.Service)})
	}
	return Verdict{Answers: lists.Map(destinations, func(d Destination) Answer { return d.evaluateAnyPeer(v, source) })}
}

// PeerDestinations returns the destinations of requests of peers to a port of a Service, whether their pods are ready or not.
func PeerDestinations(v *catalog.View, name entity.Name, number uint16) []Destination {
	service := v.Service(name)
	port, ok := portOf(service, number)
	if !ok {
		return nil
	}
	b := newBackend(v, service, port)
	return lists.Map(b.Identities, func(account identity.ServiceAccount) Destination {
		return Destination{Service: name, Identity: account, Port: b.TargetPort, Protocol: b.Protocol}
	})
}

func (d Destination) evaluateAnyPeer(v *catalog.View, source identity.PeerAccount) Answer {
	a := Answer{Outcome: Allowed, Service: d.Service, Destination: d.Identity, Port: d.Port, Protocol: d.Protocol}
	for _, route := range a.GrantedToPeer(v, source) {
		a.Policies = append(a.Policies, route.Policies...)
	}
	a.Policies = lists.Unique(a.Policies)
	if len(a.Policies) == 0 {
		a.Outcome, a.Missing = Unavailable, missingTarget(source, d.Identity, d.Port, d.Protocol)
	}
	return a
}

// GrantedToPeer returns the requests that an account of a peer may send to the destination of an answer; none on ports without HTTP.
func (a Answer) GrantedToPeer(v *catalog.View, source identity.PeerAccount) []PeerRoute {
	if a.Destination == (identity.ServiceAccount{}) {
		return nil
	}
	return InboundPeerRules(v, a.Destination, a.Port, a.Protocol, source.Peer).Granted(source)
}

// closedToPeer returns what is missing if the peer gateway forwards no request of a peer to a port of a Service; empty if it does.
func closedToPeer(v *catalog.View, peer string, r Request) string {
	_, ok := portOf(v.Service(r.Service), r.Port)
	switch export := v.Export(r.Service); {
	case v.Peer(peer) == nil:
		return fmt.Sprintf("a MeshPeer %s that is accepted", peer)
	case !ok:
		return fmt.Sprintf("a port %d of the Service %s in the mesh", r.Port, r.Service)
	case export == nil || !export.Includes(peer):
		return fmt.Sprintf("a ServiceExport %s with the label openservicemesh.io/peer: %s", r.Service, peer)
	}
	return ""
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
