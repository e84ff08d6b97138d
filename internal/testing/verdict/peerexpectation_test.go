package verdict

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// expectPeer returns the expected result of a request of a client of a peer, which connects to a pod without a gateway. Whatever is not expected to be
// allowed is closed before the application.
func (o *oracle) expectPeer(r Request) expectation {
	e := expectation{direction: peering, seen: map[string]bool{}, servers: map[string]bool{}, authorizers: map[entity.Name][]reference.Authorizer{}}
	f := forgeryNamed(r.Client.Forgery)
	for _, a := range o.answersToPeer(r) {
		at := o.endAt(r, a)
		if f.reaches == greeted && a.Outcome == authz.Allowed && r.protocol() == inventory.ProtocolTCPServerFirst {
			e.seen[at.String()] = true
		}
		if f.reaches != admitted {
			continue
		}
		e.verdict.Answers = append(e.verdict.Answers, a)
		for _, seen := range o.seenByPeer(at, a, r) {
			e.seen[seen] = true
		}
		if a.Outcome == authz.Allowed {
			e.servers[at.String()] = true
		}
		e.authorizers[at.pod] = o.authorizersOf(at.pod)
	}
	if len(e.verdict.Answers) == 0 {
		e.verdict.Answers = []authz.Answer{{Outcome: authz.Reset}}
		e.seen[closed] = true
	}
	if e.seen[closed] && !o.isServed(o.podAt(r)) {
		e.seen[refused] = true // its sidecar has no inbound listener
	}
	e.route = fmt.Sprint(e.verdict.Answers)
	e.listener = e.route
	return e
}

// seenByPeer returns the possible observations of an answer. No sidecar of the client tells an unavailable server from a denied connection.
func (o *oracle) seenByPeer(at end, a authz.Answer, r Request) []string {
	if a.Outcome == authz.Unavailable {
		return []string{closed}
	}
	return append(o.observations(a, inventory.Port{Protocol: a.Protocol}), o.observationsAt(at, a, r)...)
}

func (o *oracle) endAt(r Request, a authz.Answer) end {
	return end{pod: pods[podAt(r.To.Addr())].name, port: r.To.Port(), http: a.Protocol.IsHTTP()}
}

// answersToPeer returns the answers of the policy engine for the pod that a client of a peer has chosen, as if the client had its certificate and the pod
// were ready: clients choose pods that are not.
func (o *oracle) answersToPeer(r Request) []authz.Answer {
	if peer, ok := o.state[entity.KindMeshPeer.Ref(entity.Name{Name: r.Client.Peer})].(*catalog.Peer); !ok || peer.TrustDomain != peerDomain(r.Client.Peer) {
		return nil
	}
	i := podAt(r.To.Addr())
	chosen := o
	if unready := o.madeReady(i); len(unready) > 0 {
		chosen = newOracle(o.state.with(unready))
	}
	question := authz.Request{Service: r.Client.Service, Port: r.Client.Port, Method: r.Method, Path: r.Path, Headers: r.Headers}
	if !chosen.isPeerTarget(r) {
		return nil
	}
	own := identity.ServiceAccount{Namespace: pods[i].name.Namespace, Name: pods[i].account}
	answers := authz.DecidePeer(chosen.catalog.View(), r.Client.account(), question).Answers
	return slices.DeleteFunc(answers, func(a authz.Answer) bool { return a.Destination != own })
}

// madeReady returns the changes that make a pod ready, in its state and in handwritten EndpointSlices.
func (o *oracle) madeReady(i int) (list []catalog.Change) {
	for _, e := range o.state {
		switch e := e.(type) {
		case *inventory.Instance:
			if e.Name == pods[i].name && e.Labels[stateLabel] != ready {
				list = append(list, catalog.Set(newPod(i, e.Labels[appLabel], ready)))
			}
		case *inventory.EndpointSlice:
			slice := *e
			slice.Endpoints = slices.Clone(e.Endpoints)
			for k := range slice.Endpoints {
				if slice.Endpoints[k].Address == podAddress(i) {
					slice.Endpoints[k].Ready, slice.Endpoints[k].Terminating = true, false
				}
			}
			list = append(list, catalog.Set(&slice))
		}
	}
	return list
}

// isPeerTarget reports whether the pod that a client has chosen is behind the port of the Service.
func (o *oracle) isPeerTarget(r Request) bool {
	return slices.Contains(o.peerTargets(), peerTarget{r.Client.Service, r.Client.Port, r.To})
}
