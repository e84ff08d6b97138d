package peering

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
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
			found.Reject(ingest.ReasonMalformed, "%s", UnusableRoots(err))
		}
		gateways := gatewaysOf(object.Spec.Gateways, &found)
		if len(found) > 0 {
			return nil, found
		}
		peer := &catalog.Peer{
			Name: object.Name, Created: object.CreationTimestamp.UTC(), TrustDomain: object.Spec.TrustDomain, RootsPEM: roots,
			Follow:   ptr.Deref(object.Spec.Trust.Follow, operatorv1alpha1.DefaultPeerTrustFollow),
			Gateways: gateways,
			Direct:   ptr.Deref(object.Spec.Outbound, operatorv1alpha1.DefaultPeerOutbound) == operatorv1alpha1.PeerOutboundDirect,
		}
		return peer, nil
	}
}

// UnusableRoots describes why the roots of a MeshPeer cannot be used.
func UnusableRoots(err error) string {
	return fmt.Sprintf("spec.trust.caBundle cannot be used, so the peer is not trusted: %v. Write the output of `osm peer show` of the other mesh.", err)
}

// gatewaysOf reads the gateways of a peer. One of them that Envoy would reject rejects the MeshPeer, because the configuration has all of them.
func gatewaysOf(list []operatorv1alpha1.PeerGatewayAddress, found *ingest.Problems) []catalog.Server {
	gateways := make([]catalog.Server, 0, len(list))
	for _, gateway := range list {
		host := gateway.Address
		address, err := netip.ParseAddr(host)
		switch {
		case err == nil:
			host = address.Unmap().String()
		case !isHost(host):
			found.Reject(ingest.ReasonInvalidName, "spec.gateways has the address %.60q, which is no IP address and no DNS name, so the peer is not accepted: write for example "+
				"192.0.2.7 or gateway.east.example.com.", host)
			continue
		}
		port := ptr.Deref(gateway.Port, operatorv1alpha1.DefaultPeerGatewayPort)
		gateways = append(gateways, catalog.Server{Host: host, Port: uint16(port)}) //nolint:gosec // the API server validates the range
	}
	return gateways
}

// isHost reports whether a text is a DNS name. Its labels have a length that the schema does not limit.
func isHost(text string) bool {
	return len(validation.IsDNS1123Subdomain(text)) == 0 && !slices.ContainsFunc(strings.Split(text, "."), func(label string) bool { return !isLabel(label) })
}

// SharedWithMesh describes a peer whose accounts could have names of accounts of this mesh; empty if they cannot. own are the trust domains of this mesh,
// present and earlier.
func SharedWithMesh(trustDomain string, own []string) string {
	i := slices.IndexFunc(own, func(domain string) bool { return identity.SharesNames(domain, trustDomain) })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("Accounts in spec.trustDomain %s and in the trust domain %s of this mesh could have the same names. %s", trustDomain, own[i], moveTrustDomain)
}

// moveTrustDomain says how a mesh gets another trust domain, and how long that takes.
const moveTrustDomain = "Set spec.certificates.trustDomain of one of the two Meshes: it moves without downtime, in about the lifetime of a workload certificate " +
	"(see docs/certificates.md). Then the MeshPeers that declare it need the new trust domain."

// SharedWithPeer describes a peer that does not count, because its accounts could have names of accounts of an older one.
func SharedWithPeer(trustDomain string, older *catalog.Peer) string {
	return fmt.Sprintf("Accounts in spec.trustDomain %s and in the trust domain %s of the older MeshPeer %s could have the same names. %s",
		trustDomain, older.TrustDomain, older.Name, moveTrustDomain)
}

// TooManyPeers describes a peer that does not count, because there are older ones.
func TooManyPeers() string {
	return fmt.Sprintf("The mesh has %d older MeshPeers, and more are not used: delete one.", catalog.MaxPeers)
}
