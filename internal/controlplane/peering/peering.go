package peering

import (
	"cmp"
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// Peering exchanges records with all peers. It is safe for concurrent use.
type Peering struct {
	config  Config
	peers   *registry
	server  *server
	metrics *metrics

	// setting is held by SetPeers. mu guards the other fields.
	setting sync.Mutex
	mu      sync.Mutex
	clients map[string]*runningClient
	// running is the context of Run; nil before.
	running context.Context
}

// runningClient is a client and how to end it.
type runningClient struct {
	*client
	stop  context.CancelFunc
	ended chan struct{}
}

// New returns a Peering without peers.
func New(config Config) *Peering {
	config.timing = cmp.Or(config.timing, defaultTiming())
	config.log = newLimitedLog(config.Log, config.Now)
	peers, metrics := newRegistry(config.Now), newMetrics(config.Metrics)
	return &Peering{config: config, peers: peers, metrics: metrics, server: newServer(config, peers, metrics), clients: map[string]*runningClient{}}
}

// Run exchanges records until ctx ends. The Mirror must have all objects of the mesh. What peers have said stays in force.
func (p *Peering) Run(ctx context.Context, listener net.Listener) error {
	p.mu.Lock()
	p.running = ctx
	for _, client := range p.clients {
		p.start(client)
	}
	p.mu.Unlock()
	go p.server.publisher.run(ctx)
	go p.checkTrust(ctx)
	go p.server.recheck(ctx)
	err := p.server.serve(ctx, listener)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		<-client.ended
	}
	return err
}

// checkTrust regularly ends the trust in roots that were not declared in time.
func (p *Peering) checkTrust(ctx context.Context) {
	ticker := time.NewTicker(recheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.mu.Lock()
		clients := slices.Collect(maps.Values(p.clients))
		p.mu.Unlock()
		for _, client := range clients {
			client.checkTrust()
		}
	}
}

// start runs a client. The caller holds mu.
func (p *Peering) start(client *runningClient) {
	if p.running == nil {
		return
	}
	ctx, stop := context.WithCancel(p.running)
	client.stop, client.ended = stop, make(chan struct{})
	go func() {
		defer close(client.ended)
		client.run(ctx)
	}()
}

// SetPeers replaces the peers. Those are ignored whose accounts could have the same names as those of this mesh. The streams of those that are removed end at
// once, and what they have said is withdrawn. What is stored about new ones is in force when it returns.
func (p *Peering) SetPeers(ctx context.Context, peers []Peer) {
	p.setting.Lock()
	defer p.setting.Unlock()
	peers = slices.DeleteFunc(slices.Clone(peers), p.sharesNames)
	p.peers.set(peers)
	p.server.checkAll()
	removed := p.updateClients(ctx, peers)
	for _, client := range removed {
		if client.stop != nil {
			client.stop()
			<-client.ended
		}
		client.remove(ctx)
		p.metrics.forget(client.importer.peer.Name)
	}
	p.server.publisher.requestAll()
}

// sharesNames reports whether accounts of a peer could have the names of accounts of this mesh.
func (p *Peering) sharesNames(peer Peer) bool {
	return slices.ContainsFunc(p.config.Domains().Known, func(own string) bool { return identity.SharesNames(own, peer.TrustDomain) })
}

// updateClients starts and changes clients, and returns those of removed peers.
func (p *Peering) updateClients(ctx context.Context, peers []Peer) (removed []*runningClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := map[string]*runningClient{}
	for _, peer := range peers {
		client := p.clients[peer.Name]
		switch {
		case client == nil:
			client = &runningClient{client: newClient(p.config, p.peers, p.metrics, peer)}
			client.load(ctx)
			p.start(client)
		case !client.declaration().equal(peer):
			client.setPeer(peer)
		}
		kept[peer.Name] = client
	}
	for name, client := range p.clients {
		if kept[name] == nil {
			removed = append(removed, client)
		}
	}
	p.clients = kept
	return removed
}

// States describes all peers, sorted by name.
func (p *Peering) States() []State {
	p.mu.Lock()
	clients := slices.Collect(maps.Values(p.clients))
	p.mu.Unlock()
	states := make([]State, len(clients))
	for i, client := range clients {
		states[i] = client.state()
	}
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.Peer, b.Peer) })
	return states
}

// Imports is what a peer has said, and what is known of it.
type Imports struct {
	State
	// Services are those that the peer offers to this mesh, sorted by name. Nobody may change them.
	Services []*catalog.PeerService
}

// Imports returns what a peer has said; ok is false if there is no such peer.
func (p *Peering) Imports(peer string) (imports Imports, ok bool) {
	p.mu.Lock()
	client := p.clients[peer]
	p.mu.Unlock()
	if client == nil {
		return Imports{}, false
	}
	return Imports{client.state(), client.offered()}, true
}

// Exported describes what this mesh offers to a peer.
type Exported struct {
	// IsRead is false until all exports have been read once.
	IsRead   bool
	Services int
	// Omitted is what the limits remove.
	Omitted peering.Omitted
	// Streams are those of the peer's control plane.
	Streams int
}

// Exported returns what this mesh offers to a peer.
func (p *Peering) Exported(peer string) Exported {
	isRead, services, omitted := p.server.publisher.counts(peer)
	return Exported{isRead, services, omitted, p.server.streamsOf(peer)}
}

// Offers reports whether a Service is among those that this mesh offers to a peer.
func (p *Peering) Offers(peer string, service entity.Name) bool {
	return p.server.publisher.isOffered(peer, service)
}
