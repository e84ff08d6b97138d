package peering

import (
	"net/netip"

	"k8s.io/utils/ptr"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// MeshPeer returns a function that reads the MeshPeers of a mesh. Its entry has the declared roots.
func MeshPeer(mesh string) func(*operatorv1alpha1.MeshPeer) (*catalog.Peer, []ingest.Problem) {
	return func(object *operatorv1alpha1.MeshPeer) (*catalog.Peer, []ingest.Problem) {
		if object.Spec.Mesh != mesh {
			return nil, nil
		}
		var found ingest.Problems
		roots := []byte(object.Spec.Trust.CABundle)
		if _, err := ParseRoots(roots); err != nil {
			found.Reject(ingest.ReasonMalformed, "spec.trust.caBundle cannot be used, so the peer is not trusted: %v. Write the output of `osm peer show` of the peer.", err)
			return nil, found
		}
		peer := &catalog.Peer{
			Name: object.Name, Created: object.CreationTimestamp.UTC(), TrustDomain: object.Spec.TrustDomain, RootsPEM: roots,
			Follow:   ptr.Deref(object.Spec.Trust.Follow, operatorv1alpha1.DefaultPeerTrustFollow),
			Gateways: gatewaysOf(object.Spec.Gateways),
		}
		return peer, found
	}
}

func gatewaysOf(list []operatorv1alpha1.PeerGatewayAddress) []catalog.Server {
	gateways := make([]catalog.Server, 0, len(list))
	for _, gateway := range list {
		host := gateway.Address
		if address, err := netip.ParseAddr(host); err == nil {
			host = address.Unmap().String()
		}
		port := ptr.Deref(gateway.Port, operatorv1alpha1.DefaultPeerGatewayPort)
		gateways = append(gateways, catalog.Server{Host: host, Port: uint16(port)}) //nolint:gosec // the API server validates the range
	}
	return gateways
}
