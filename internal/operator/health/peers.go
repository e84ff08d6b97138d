package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
)

// maxContactAge is how old the last contact with a connected peer may be. It is older if no control plane writes the status any more, or if the status is that
// of a backup.
const maxContactAge = 2 * v1alpha1.PeerContactInterval

// Peers observes the accepted peers of a mesh, and which certificates of a bundle (PEM) they acknowledge. Without a peer gateway there are none: workloads of
// this mesh and of others do not reach each other.
func Peers(ctx context.Context, c client.Reader, mesh *v1alpha1.Mesh, bundle []byte, now time.Time) ([]rotation.Peer, error) {
	if !(peergateway.Managed{}).Enabled(mesh) {
		return nil, nil
	}
	declared, err := MeshPeers(ctx, c, mesh.Name)
	if err != nil {
		return nil, fmt.Errorf("the MeshPeers cannot be listed: %w", err)
	}
	var peers []rotation.Peer
	for i := range declared {
		if peer := &declared[i]; !isRejected(peer) {
			peers = append(peers, rotation.Peer{Name: peer.Name, Problem: unknownTrust(peer, now), Trusted: acknowledged(peer, bundle)})
		}
	}
	slices.SortFunc(peers, func(a, b rotation.Peer) int { return cmp.Compare(a.Name, b.Name) })
	return peers, nil
}

// MeshPeers returns the MeshPeers of a mesh, whether or not they are accepted.
func MeshPeers(ctx context.Context, c client.Reader, mesh string) ([]v1alpha1.MeshPeer, error) {
	var list v1alpha1.MeshPeerList
	if err := c.List(ctx, &list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(p v1alpha1.MeshPeer) bool { return p.Spec.Mesh != mesh }), nil
}

// hasStatus reports whether the status of a MeshPeer is about its spec.
func hasStatus(peer *v1alpha1.MeshPeer) bool {
	return peer.Status.ObservedGeneration == peer.Generation
}

// isRejected reports whether a peer does not count.
func isRejected(peer *v1alpha1.MeshPeer) bool {
	return hasStatus(peer) && meta.IsStatusConditionFalse(peer.Status.Conditions, v1alpha1.PeerAccepted)
}

// unknownTrust says why it is unknown what a peer trusts now; empty if it is known.
func unknownTrust(peer *v1alpha1.MeshPeer, now time.Time) string {
	if !hasStatus(peer) {
		return "has no status yet"
	}
	last := peer.Status.LastConnectedTime
	isConnected := meta.IsStatusConditionTrue(peer.Status.Conditions, v1alpha1.PeerConnected)
	switch {
	case last == nil:
		return "has never been connected"
	case !isConnected:
		return "has not been connected since about " + format(last)
	case now.Sub(last.Time) > maxContactAge:
		return "has a status that is not kept up to date since about " + format(last)
	}
	return ""
}

func format(at *metav1.Time) string { return at.UTC().Format(time.RFC3339) }

// acknowledged returns the certificates of a bundle that a peer acknowledges, in the form of an authority. The API has their whole fingerprints.
func acknowledged(peer *v1alpha1.MeshPeer, bundle []byte) []string {
	whole, err := certificate.FullFingerprints(bundle)
	short, shortErr := certificate.Fingerprints(bundle)
	if err != nil || shortErr != nil {
		return nil // without a bundle
	}
	var trusted []string
	for i, fingerprint := range whole {
		if slices.Contains(peer.Status.AcknowledgedRoots, fingerprint) {
			trusted = append(trusted, short[i])
		}
	}
	return trusted
}
