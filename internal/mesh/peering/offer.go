package peering

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Limits of what a mesh offers to a peer, and of what it accepts from one.
const (
	MaxServices = 200
	MaxPorts    = 32
	// MaxAccounts is how many accounts each list of a port has.
	MaxAccounts = 64
)

// Omitted counts what is not offered because of a limit. The zero value means that nothing is missing.
type Omitted struct {
	Services, Ports, Accounts int
}

// Add returns the sum of both.
func (o Omitted) Add(other Omitted) Omitted {
	return Omitted{o.Services + other.Services, o.Ports + other.Ports, o.Accounts + other.Accounts}
}

// Offer is a Service that a mesh offers to a peer.
type Offer struct {
	Name    entity.Name
	Service Service
	// Omitted is what the limits remove from the Service.
	Omitted Omitted
}

// OfferOf returns what a mesh offers to a peer of a Service. ok is false if it offers nothing: the Service is not exported to the peer, does not exist, or
// admits no account of the peer. The view records what that depends on.
func OfferOf(v *catalog.View, service entity.Name, peer string) (offer Offer, ok bool) {
	export := v.Export(service)
	if export == nil || !export.Includes(peer) {
		return Offer{}, false
	}
	exported := v.Service(service)
	if exported == nil {
		return Offer{}, false
	}
	offer.Name = service
	for _, port := range exported.Ports {
		offer.addPort(v, exported, port, peer)
	}
	return offer, len(offer.Service.Ports) > 0
}

// addPort adds a port that admits an account of the peer.
func (o *Offer) addPort(v *catalog.View, service *inventory.Service, port inventory.Port, peer string) {
	clients := authz.GrantedPeers(v, service, port, peer)
	if len(clients) == 0 {
		return
	}
	if len(o.Service.Ports) == MaxPorts {
		o.Omitted.Ports++
		return
	}
	isReady := func(b inventory.Backend) bool { return b.Ready }
	o.Service.Ports = append(o.Service.Ports, Port{
		Number: port.Number, Ready: slices.ContainsFunc(v.Backends(service, port), isReady),
		Servers: o.limit(lists.Map(v.ServiceIdentities(service.Name), func(a identity.ServiceAccount) Account { return Account(a) })),
		Clients: o.limit(lists.Map(clients, func(a identity.PeerAccount) Account { return Account{a.Namespace, a.Name} })),
	})
}

// limit returns the first accounts of a sorted list.
func (o *Offer) limit(accounts []Account) []Account {
	kept := min(len(accounts), MaxAccounts)
	o.Omitted.Accounts += len(accounts) - kept
	return accounts[:kept]
}

// Offers returns what a mesh offers to a peer, sorted by name, and what the limits remove.
func Offers(v *catalog.View, peer string) ([]Offer, Omitted) {
	var offers []Offer
	for _, export := range v.Exports() {
		if offer, ok := OfferOf(v, export.Name, peer); ok {
			offers = append(offers, offer)
		}
	}
	return LimitOffers(offers)
}

// LimitOffers sorts offers to a peer and returns the first by name. Omitted is what the limits remove from them and from each Service.
func LimitOffers(offers []Offer) (kept []Offer, omitted Omitted) {
	slices.SortFunc(offers, func(a, b Offer) int { return a.Name.Compare(b.Name) })
	kept = offers[:min(len(offers), MaxServices)]
	omitted.Services = len(offers) - len(kept)
	for _, offer := range kept {
		omitted = omitted.Add(offer.Omitted)
	}
	return kept, omitted
}
