package peers

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	meshpeering "github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// observation is what is known about a peer.
type observation struct {
	now time.Time
	// own describes that the trust domain of the peer shares names with one of this mesh; empty if it does not. trustDomain is that of the peer.
	own, trustDomain string
	// version is that of this control plane.
	version string
	// problems are those of the spec, for which the peer is not accepted.
	problems []ingest.Problem
	// counts is false if the peer is not accepted because of others, and older is then the one with precedence; nil if there are too many.
	counts bool
	older  *catalog.Peer
	// trusted are the roots of the peer that this mesh trusts.
	trusted []byte
	// imports is how many Services of the peer can be called.
	imports int
	// state is the zero value if the exchange does not have the peer.
	state    peering.State
	isKnown  bool
	exported peering.Exported
}

// observe reads what is known about a peer.
func (r *peerReconciler) observe(ctx context.Context, peer *operatorv1alpha1.MeshPeer) (observation, error) {
	o := observation{
		now: r.Now(), version: r.Version, trustDomain: peer.Spec.TrustDomain, own: r.sharedWithMesh(peer.Spec.TrustDomain),
		trusted: []byte(peer.Spec.Trust.CABundle),
	}
	_, o.problems = kinds.Peers(r.Mesh).Ingest(peer)
	imported, err := r.importedFrom(ctx, peer.Name)
	if err != nil {
		return o, err
	}
	r.Mirror.Read(refOf(peer.Name), func(v *catalog.View) {
		accepted := v.Peer(peer.Name)
		o.counts, o.older = accepted != nil, v.OlderPeer(peer.Name)
		if accepted != nil {
			o.trusted = v.TrustedRoots(accepted)
		}
		for _, name := range imported {
			if service := v.Service(name); service != nil && authz.IsImportedService(v, service) {
				o.imports++
			}
		}
	})
	r.observeExchange(&o, peer.Name)
	return o, nil
}

// sharedWithMesh describes that a trust domain shares names with one of this mesh; empty if it does not.
func (w Writers) sharedWithMesh(domain string) string {
	return meshpeering.SharedWithMesh(domain, w.Domains().Known)
}

// importedFrom returns the names of the ServiceImports from a peer. A cluster without the kind has none.
func (r *peerReconciler) importedFrom(ctx context.Context, peer string) ([]entity.Name, error) {
	objects, err := r.list(ctx, kinds.ServiceImport)
	if err != nil && !meta.IsNoMatchError(err) {
		return nil, err
	}
	var imported []entity.Name
	for _, object := range objects {
		if object.GetLabels()[names.PeerLabel] == peer {
			imported = append(imported, entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()})
		}
	}
	return imported, nil
}

// observeExchange adds the state of the exchange with a peer.
func (r *peerReconciler) observeExchange(o *observation, peer string) {
	exchange := r.Exchange()
	if exchange == nil {
		return
	}
	states := exchange.States()
	i := slices.IndexFunc(states, func(s peering.State) bool { return s.Peer == peer })
	if o.isKnown = i >= 0; o.isKnown {
		o.state, o.exported = states[i], exchange.Exported(peer)
	}
}

// streamProblem returns why there is no stream to the peer; ok is false before the first attempt has failed, and while there is one.
func (o observation) streamProblem() (problem peering.Problem, ok bool) {
	for _, reason := range peering.StreamReasons() {
		if problem, ok := o.state.Problem(reason); ok && !o.state.Connected {
			return problem, true
		}
	}
	return peering.Problem{}, false
}

// recordProblems returns the problems of records of the peer.
func (o observation) recordProblems() []peering.Problem {
	return slices.DeleteFunc(slices.Clone(o.state.Problems), func(p peering.Problem) bool { return slices.Contains(peering.StreamReasons(), p.Reason) })
}
