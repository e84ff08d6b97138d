package explain

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/peerfiles"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// peerCaller lets a trial grant an account of a peer.
type peerCaller identity.PeerAccount

func (c peerCaller) name() string { return c.Peer + "-" + c.Name }

func (c peerCaller) subject() map[string]any {
	return map[string]any{"kind": "PeerServiceAccount", "name": c.Peer + "/" + c.Name, "namespace": c.Namespace}
}

// allows returns true if policies allow the account to reach an identity, whether or not its pods are ready.
func (c peerCaller) allows(e evaluator, p servicePort, b authz.Destination) bool {
	rules := authz.InboundPeerRules(e.v, b.Identity, b.Port, b.Protocol, c.Peer)
	switch {
	case !rules.Accepts(identity.PeerAccount(c)) || !b.Protocol.IsHTTP():
		return rules.Accepts(identity.PeerAccount(c))
	case !e.question.hasRequest():
		return len(rules.Granted(identity.PeerAccount(c))) > 0
	}
	for _, answer := range authz.DecidePeer(e.v, identity.PeerAccount(c), e.request(p)).Answers {
		if answer.Destination == b.Identity {
			return answer.Outcome == authz.Allowed
		}
	}
	return false
}

// peerRemedy finds what would allow the question by trying it: a ServiceExport, and TrafficTargets that name the account.
func (m Mesh) peerRemedy(e peerEvaluator, ports []servicePort) (objects []*unstructured.Unstructured, suffices bool) {
	t := &trial{evaluator: e.evaluator, caller: peerCaller(e.source), isUsed: m.Exists}
	for _, p := range ports {
		if t.v.Export(p.service.Name) == nil {
			t.export(p.service.Name, e.source.Peer)
		}
		for _, b := range e.destinations(p) {
			if !t.caller.allows(t.evaluator, p, b) {
				t.grant(p, b)
			}
		}
	}
	suffices = len(t.objects) > 0
	for _, p := range ports {
		suffices = suffices && e.decide(t.v, p).Always(authz.Allowed)
	}
	return t.objects, suffices
}

// export adds a ServiceExport. It has the name of the Service, also if an object of another controller has it: applying it adds the label.
func (t *trial) export(service entity.Name, peer string) {
	object, err := peerfiles.Export(service.String(), peer)
	if err != nil {
		return
	}
	entry, _ := ingest.ServiceExport(object)
	t.evaluator = t.with(entry)
	t.objects = append(t.objects, object)
}
