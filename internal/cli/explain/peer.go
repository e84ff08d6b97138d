package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// evaluatePeer answers a question about an account of a peer.
func (m Mesh) evaluatePeer(ctx context.Context, v *catalog.View, q Question) (*Answer, error) {
	to, err := m.resolve(ctx, v, q.To, false)
	if err != nil {
		return nil, err
	}
	source := identity.PeerAccount{Peer: q.From.Peer, Namespace: q.From.Namespace, Name: q.From.Name}
	a := m.newAnswer(v, q, fmt.Sprintf("ServiceAccount %s/%s of the peer %s", source.Namespace, source.Name, source.Peer), to.what)
	a.Peer = source.Peer
	a.Missing = m.membership(v, to, to)
	ports, err := servicePorts(v, to, q.To.Port)
	if err != nil {
		return nil, err
	}
	if len(ports) == 0 && len(a.Missing) == 0 {
		a.Missing = append(a.Missing, m.missingPort(v, to))
	}
	e := peerEvaluator{evaluator: evaluator{v: v, question: q}, source: source}
	for _, p := range ports {
		candidates := e.at(p)
		for i := range candidates {
			m.denyOmitted(e, p, &candidates[i])
		}
		a.Candidates = append(a.Candidates, candidates...)
		a.Parties = append(a.Parties, v.ServiceIdentities(p.service.Name)...)
	}
	a.Missing = append(append(a.Missing, m.missingPeer(v, source.Peer)...), e.exportedToOthers(ports)...)
	m.addHints(v, a.Candidates)
	a.setVerdict()
	a.notePermissive(v, ports)
	if !a.Allowed && !q.WithoutRemedy && !a.isIdle() && (!speakHTTP(ports) || !isRejected(v, q, ports)) {
		a.Remedy, a.RemedySuffices = m.peerRemedy(e, ports)
	}
	return a, nil
}

// notePermissive says that permissive mode does not admit the account, where it admits those of this mesh.
func (a *Answer) notePermissive(v *catalog.View, ports []servicePort) {
	isPermissive := func(p servicePort) bool { return v.Permissive(p.service.Name.Namespace) }
	if !a.Allowed && slices.ContainsFunc(ports, isPermissive) {
		a.Note = "Permissive mode never includes peers: a TrafficTarget must name the account."
	}
}

// missingPeer returns why a peer does not count, or cannot connect.
func (m Mesh) missingPeer(v *catalog.View, name string) []diagnosis.Finding {
	var problems []diagnosis.Finding
	if m.PeerProblems != nil {
		problems = m.PeerProblems(name)
	}
	if v.Peer(name) != nil || len(problems) > 0 {
		return problems
	}
	declared := entity.KindMeshPeer.Ref(entity.Name{Name: name})
	if older := v.OlderPeer(name); older != nil {
		return []diagnosis.Finding{diagnosis.Fail("move one of the two meshes to another trust domain: see docs/certificates.md",
			"the peer %s is not accepted: its accounts could have the same names as those of the older MeshPeer %s", name, older.Name)}
	}
	if m.Problems != nil {
		problems = m.Problems(declared)
	}
	switch {
	case len(problems) > 0:
		return problems
	case !m.Exists(declared):
		return []diagnosis.Finding{diagnosis.Fail("apply the output of `osm peer show NAME` of the other mesh"+similarPeer(v, name), "there is no MeshPeer %s", name)}
	case len(v.Peers()) >= catalog.MaxPeers:
		return []diagnosis.Finding{diagnosis.Fail("delete a MeshPeer", "the peer %s is not accepted: the mesh has %d older MeshPeers", name, catalog.MaxPeers)}
	}
	return []diagnosis.Finding{diagnosis.Fail("set spec.mesh of the MeshPeer", "the MeshPeer %s is not one of mesh %s", name, m.Name)}
}

// similarPeer returns a question after a peer with a similar name; empty without one.
func similarPeer(v *catalog.View, name string) string {
	best, least := "", maxTypos+1
	for _, peer := range v.Peers() {
		if d := editDistance(name, peer.Name); d < least && d < len(name) {
			best, least = ". Did you mean "+peer.Name+"?", d
		}
	}
	return best
}

// peerEvaluator evaluates a question for an account of a peer.
type peerEvaluator struct {
	evaluator
	source identity.PeerAccount
}

// at evaluates the question for one port.
func (e peerEvaluator) at(p servicePort) []Candidate {
	verdict := e.decide(e.v, p)
	var candidates []Candidate
	for _, answer := range verdict.Answers {
		if answer.Destination == (identity.ServiceAccount{}) || p.includes(answer.Destination) {
			candidates = append(candidates, e.candidateOf(p, answer))
		}
	}
	return candidates
}

func (e peerEvaluator) decide(v *catalog.View, p servicePort) authz.Verdict {
	if e.isGeneral(p) {
		return authz.DecideAnyPeer(v, e.source, e.request(p))
	}
	return authz.DecidePeer(v, e.source, e.request(p))
}

func (e peerEvaluator) candidateOf(p servicePort, answer authz.Answer) Candidate {
	candidate := p.candidate(answer.Outcome, e.response(p, answer), answer.Missing)
	candidate.Policies = answer.Policies
	if answer.Destination == (identity.ServiceAccount{}) {
		return candidate
	}
	candidate.Destination, candidate.Logs = answer.Destination.String(), logs(e.v, answer.Destination)
	if e.isGeneral(p) || p.port.Protocol.IsHTTP() && answer.Outcome != authz.Allowed {
		candidate.Granted = grants(answer.GrantedToPeer(e.v, e.source))
	}
	attached := answer.Attached(e.v, p.port.Protocol)
	candidate.Limits = limits(attached.Setting, p.port.Protocol)
	candidate.Authorizer, candidate.Authorizers = authorizer(attached.Mesh), authorizers(attached.Servers)
	return candidate
}

// response describes what the client gets. Its own mesh decides whether it has a way to the Service.
func (e peerEvaluator) response(p servicePort, answer authz.Answer) string {
	isIdle := answer.Missing == authz.MissingPod(p.service.Name)
	switch {
	case answer.Outcome == authz.Allowed && e.isGeneral(p):
		return "the requests listed here reach the application, if the peer imports the Service"
	case answer.Outcome == authz.Allowed:
		return "it reaches the application, if the peer imports the Service"
	case answer.Outcome == authz.Unavailable && !isIdle:
		return "the Service is not offered to the account, so its connections are reset"
	}
	return response(answer.Outcome, p.port.Protocol)
}

// exportedToOthers returns the Services whose ServiceExport names another peer. A remedy cannot replace it without taking the Service from that peer.
func (e peerEvaluator) exportedToOthers(ports []servicePort) []diagnosis.Finding {
	var findings []diagnosis.Finding
	for _, p := range ports {
		name := p.service.Name
		if export := e.v.Export(name); export != nil && !export.Includes(e.source.Peer) {
			findings = append(findings, diagnosis.Fail(
				fmt.Sprintf("set its label %s to %s, which exports it to all peers, and limits each to what TrafficTargets admit", names.PeerLabel, names.AnyPeer),
				"the ServiceExport %s is for the peer %s", name, export.Peer))
		}
	}
	return slices.CompactFunc(findings, diagnosis.Finding.Equal)
}

// destinations returns the destinations of a port that the question is about.
func (e peerEvaluator) destinations(p servicePort) []authz.Destination {
	return slices.DeleteFunc(authz.PeerDestinations(e.v, p.service.Name, p.port.Number), func(d authz.Destination) bool { return !p.includes(d.Identity) })
}
