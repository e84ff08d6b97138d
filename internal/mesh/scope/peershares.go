package scope

import (
	"math"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// peerShares divides the weights of a list of backends, so that a peer answers a share of the requests to some of them.
type peerShares struct {
	// whole is what multiplies each weight, and divisor keeps the products within 32 bits.
	whole, divisor uint64
}

// peerSharesOf returns shares that leave the weights as they are if no peer has one.
func peerSharesOf(list []authz.WeightedBackend) peerShares {
	s, heaviest := peerShares{whole: 1}, uint64(0)
	for _, b := range list {
		heaviest = max(heaviest, uint64(b.Weight))
		if b.PeerShare() > 0 {
			s.whole = catalog.WholeShare
		}
	}
	s.divisor = heaviest*s.whole/math.MaxUint32 + 1
	return s
}

// part returns a percentage of a weight. It is at least 1 if both are more than 0.
func (s peerShares) part(weight, percent uint32) uint32 {
	if weight == 0 || percent == 0 {
		return 0
	}
	return uint32(max(uint64(weight)*s.whole*uint64(percent)/catalog.WholeShare/s.divisor, 1)) //nolint:gosec // the divisor keeps it within 32 bits
}

// dividedBackend returns a backend, whose cluster is known, as a destination. If a peer answers a share of its requests, that has a cluster of its own, with
// the endpoints of this mesh as stand-ins.
func (o outboundBuilder) dividedBackend(backend authz.WeightedBackend, cluster string, version HTTPVersion, shares peerShares) []Backend {
	ofPeer := backend.PeerShare()
	local := Backend{Cluster: cluster, Weight: shares.part(backend.Weight, catalog.WholeShare-ofPeer)}
	if ofPeer == 0 {
		return []Backend{local}
	}
	c := o.clusterFor(backend, version)
	c.Endpoints.PeerFirst = true
	o.clusters[c.Name()] = c
	return []Backend{local, {Cluster: c.Name(), Weight: shares.part(backend.Weight, ofPeer)}}
}
