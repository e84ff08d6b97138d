package peering

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// kindOffer is the kind of the objects of the Mirror whose dependencies are those of offers. One without a name stands for the list of ServiceExports. The
// others have the names of Services. It is not the kind of a ServiceExport, whose dependencies those who report its status have.
const kindOffer entity.Kind = "PeerOffer"

// recheckInterval is how often the roots of this mesh, which are no part of the catalog, are compared with those that were published.
const recheckInterval = 10 * time.Second

// publisher computes what this mesh offers to each peer. It is safe for concurrent use.
type publisher struct {
	config Config
	peers  *registry
	// onChange is called with the name of each peer for which something has changed.
	onChange func(peer string)

	arrived sync.Mutex
	// pending are the names of objects of kindOffer that must be read again.
	pending map[entity.Name]struct{}
	wake    chan struct{}

	// mu guards the following fields.
	mu sync.Mutex
	// ready is false until everything has been read once. An early answer would withdraw what was not read yet.
	ready bool
	// offers are those of each Service by peer.
	offers map[entity.Name]map[string]peering.Offer
	// kept and omitted are what the limits leave for each peer, and remove.
	kept    map[string][]peering.Offer
	omitted map[string]peering.Omitted
	records map[audience]*publication
	// bundle has the roots of this mesh, and accepted those of each peer that it reports to trust.
	bundle   string
	accepted acceptedRoots
}

// audience is a peer, and the trust domain by which it knows this mesh.
type audience struct{ peer, domain string }

func newPublisher(config Config, peers *registry, onChange func(peer string)) *publisher {
	return &publisher{
		config: config, peers: peers, onChange: onChange, pending: map[entity.Name]struct{}{}, wake: make(chan struct{}, 1),
		offers: map[entity.Name]map[string]peering.Offer{}, kept: map[string][]peering.Offer{}, omitted: map[string]peering.Omitted{},
		records: map[audience]*publication{}, accepted: newAcceptedRoots(config.timing.accept),
	}
}

// run computes offers until ctx ends. The Mirror must have all objects of the mesh.
func (p *publisher) run(ctx context.Context) {
	p.config.Mirror.Watch(kindOffer, func(_ context.Context, name entity.Name) { p.request(name) })
	p.request(entity.Name{})
	recheck := time.NewTicker(recheckInterval)
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
			p.update()
		case <-recheck.C:
			p.publish()
		}
	}
}

// request makes run read an object again.
func (p *publisher) request(names ...entity.Name) {
	p.arrived.Lock()
	defer p.arrived.Unlock()
	for _, name := range names {
		p.pending[name] = struct{}{}
	}
	signal(p.wake)
}

// requestAll makes run read everything again, because the peers have changed.
func (p *publisher) requestAll() {
	p.mu.Lock()
	names := slices.Collect(maps.Keys(p.offers))
	p.mu.Unlock()
	p.request(append(names, entity.Name{})...)
}

// update reads what has changed.
func (p *publisher) update() {
	p.arrived.Lock()
	pending := p.pending
	p.pending = map[entity.Name]struct{}{}
	p.arrived.Unlock()
	if _, ok := pending[entity.Name{}]; ok {
		delete(pending, entity.Name{})
		for _, name := range p.readExports() {
			pending[name] = struct{}{}
		}
	}
	peers := lists.Map(p.peers.list(), func(peer Peer) string { return peer.Name })
	for name := range pending {
		p.readOffers(name, peers)
	}
	p.publish()
}

// readExports reads which Services are exported, and returns the new ones.
func (p *publisher) readExports() (added []entity.Name) {
	var exported []entity.Name
	p.config.Mirror.Read(kindOffer.Ref(entity.Name{}), func(v *catalog.View) {
		exported = lists.Map(v.Exports(), func(e *catalog.ServiceExport) entity.Name { return e.Name })
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.offers {
		if !slices.Contains(exported, name) {
			delete(p.offers, name)
			p.config.Mirror.Forget(kindOffer.Ref(name))
		}
	}
	for _, name := range exported {
		if _, known := p.offers[name]; !known {
			p.offers[name] = nil
			added = append(added, name)
		}
	}
	return added
}

// readOffers reads what a Service offers to each peer.
func (p *publisher) readOffers(name entity.Name, peers []string) {
	p.mu.Lock()
	_, known := p.offers[name]
	p.mu.Unlock()
	if !known {
		return // not exported any more
	}
	offers := map[string]peering.Offer{}
	p.config.Mirror.Read(kindOffer.Ref(name), func(v *catalog.View) {
		for _, peer := range peers {
			if offer, ok := peering.OfferOf(v, name, peer); ok {
				offers[peer] = offer
			}
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offers[name] = offers
}

// publish applies the limits, and notifies of each peer with a difference.
func (p *publisher) publish() {
	for _, peer := range p.recompute() {
		p.onChange(peer)
	}
}

// recompute returns the peers for which something has changed.
func (p *publisher) recompute() (changed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bundle := string(p.config.Bundle())
	everything := bundle != p.bundle || !p.ready
	p.ready, p.bundle = true, bundle
	before := p.kept
	p.kept, p.omitted = map[string][]peering.Offer{}, map[string]peering.Omitted{}
	peers := p.peers.list()
	for _, peer := range peers {
		p.kept[peer.Name], p.omitted[peer.Name] = p.offersTo(peer.Name)
		trusted, _ := p.peers.trusted(peer.Name)
		reports := p.accepted.update(peer.Name, trusted.RootsPEM, p.config.Now())
		if everything || reports || !reflect.DeepEqual(before[peer.Name], p.kept[peer.Name]) {
			changed = append(changed, peer.Name)
		}
	}
	p.accepted.retain(peers)
	authority := p.config.Authority()
	for to, publication := range p.records {
		_, exists := p.kept[to.peer]
		if !exists || slices.Contains(changed, to.peer) || publication.authority != authority {
			delete(p.records, to)
		}
		if exists && publication.authority != authority && !slices.Contains(changed, to.peer) {
			changed = append(changed, to.peer)
		}
	}
	return changed
}

func (p *publisher) offersTo(peer string) ([]peering.Offer, peering.Omitted) {
	var offers []peering.Offer
	for _, byPeer := range p.offers {
		if offer, ok := byPeer[peer]; ok {
			offers = append(offers, offer)
		}
	}
	kept, omitted := peering.LimitOffers(offers)
	kept, tooLarge := limitBytes(kept)
	omitted.Services += tooLarge
	return kept, omitted
}

// counts returns how many Services a peer is offered, and what the limits remove.
func (p *publisher) counts(peer string) (isRead bool, services int, omitted peering.Omitted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready, len(p.kept[peer]), p.omitted[peer]
}

// isOffered reports whether a Service is among those that the limits leave for a peer.
func (p *publisher) isOffered(peer string, service entity.Name) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.kept[peer], func(offer peering.Offer) bool { return offer.Name == service })
}
