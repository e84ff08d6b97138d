package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// explainWithPeer answers a question by this cluster and that of the peer.
func (a *app) explainWithPeer(ctx context.Context, q explain.Question, meshName, peerContext string, form *output.Flag) error {
	c, found, err := a.open(ctx, meshName)
	if err != nil {
		return err
	}
	m, err := a.fromCluster(ctx, c, found)
	if err != nil {
		return err
	}
	peer, err := m.PeerOf(ctx, q)
	if err != nil {
		return err
	}
	other, err := a.otherMesh(ctx, peerContext, peer, a.trustDomain(ctx, c, found))
	if err != nil {
		return err
	}
	joint, err := explain.Join(ctx, m, other, peer.Name, q)
	if err != nil {
		return err
	}
	err = form.Print(a.Out, output.Result{Data: joint, Names: policyNames(joint.Here), Text: joint.Print})
	err = exitIf(joint.Unknown(), exitFailed, err)
	return exitIf(!joint.Allowed, exitNo, err)
}

// otherMesh reads the mesh of a peer from its cluster. own is the trust domain of this mesh.
func (a *app) otherMesh(ctx context.Context, peerContext string, peer *catalog.Peer, own string) (explain.Other, error) {
	there := *a
	there.kube = a.kube.ForContext(peerContext)
	other, err := there.meshOfPeer(ctx, peer, own)
	if err != nil {
		return explain.Other{}, fmt.Errorf("the cluster of the peer %s (context %s): %w", peer.Name, peerContext, there.kube.Sentence(err))
	}
	other.Context = peerContext
	return other, nil
}

// meshOfPeer reads the mesh of this cluster that has the trust domain of a peer.
func (a *app) meshOfPeer(ctx context.Context, peer *catalog.Peer, own string) (explain.Other, error) {
	c, all, err := a.connect(ctx)
	if err != nil {
		return explain.Other{}, err
	}
	if len(all) == 0 {
		return explain.Other{}, noSuchMesh("", nil)
	}
	domains := lists.Map(all, func(m mesh) string { return a.trustDomain(ctx, c, m) })
	i := slices.Index(domains, peer.TrustDomain)
	if i < 0 {
		return explain.Other{}, fmt.Errorf("no mesh has the trust domain %s that the MeshPeer declares; there are: %s. Correct --peer-context or spec.trustDomain of the MeshPeer",
			peer.TrustDomain, strings.Join(domains, ", "))
	}
	m, err := a.fromCluster(ctx, c, all[i])
	if err != nil {
		return explain.Other{}, err
	}
	other := explain.Other{Mesh: m}
	for _, known := range m.Catalog.View().Peers() {
		if known.TrustDomain == own {
			other.KnownAs = known.Name
		}
	}
	return other, nil
}
