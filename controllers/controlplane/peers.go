package controlplane

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	peerstatus "github.com/openservicemesh/osm-operator/controllers/controlplane/peers"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

const (
	// kindPeers is the kind of the object of the mirror that depends on the list of peers.
	kindPeers entity.Kind = "PeerList"
	// mirrorPoll is how often the mirror is asked whether it has applied everything that was read at the start.
	mirrorPoll = 20 * time.Millisecond
	// peersRetry is when peers are set up again after an error.
	peersRetry = 10 * time.Second
)

// peers exchanges records with other meshes. Without any, it has no listener and sends no request.
type peers struct {
	mirror *mirror.Mirror
	// epoch returns an identifier of this installation of the mesh.
	epoch func(context.Context) (string, error)
	// open returns an exchange of records without peers, and listen opens its listener.
	open   func(epoch string) *peering.Peering
	listen func() (net.Listener, error)
	// retain removes what is stored for all other peers.
	retain func(ctx context.Context, peers []string) error
	log    logr.Logger

	// changed is signaled after a change of the list of peers, and acquired when this replica begins to write the storage.
	changed, acquired chan struct{}
	// loaded is closed when all objects of the mesh have been read. Only the goroutine that closes it, and later that of run, sets exchange.
	loaded   chan struct{}
	exchange atomic.Pointer[peering.Peering]
}

func (c *ControlPlane) newPeers(leader *status.Leader) *peers {
	storage := &peerStorage{client: c.api.clients.CoreV1().ConfigMaps(c.config.Namespace), mesh: c.config.Mesh, leading: leader.Leading}
	p := &peers{
		mirror: c.mirror, log: c.log.WithName("peers"), retain: storage.retain,
		changed: make(chan struct{}, 1), acquired: make(chan struct{}, 1), loaded: make(chan struct{}),
		epoch:  func(ctx context.Context) (string, error) { return namespaceUID(ctx, c.api.clients, c.config.Namespace) },
		listen: func() (net.Listener, error) { return net.Listen("tcp", c.config.Addresses.Peers) },
		open:   func(epoch string) *peering.Peering { return peering.New(c.peeringConfig(epoch, storage)) },
	}
	leader.Notify(func() { signal(p.acquired) })
	return p
}

func (c *ControlPlane) peeringConfig(epoch string, storage peering.Storage) peering.Config {
	manager := c.authority.manager
	gateway := net.JoinHostPort(names.ServiceHost(names.PeerLeaving, c.config.Namespace), strconv.Itoa(names.PeerLeavingPort))
	return peering.Config{
		Certificates: certificate.NewControlPlaneCertificates(manager, time.Now).Get,
		Domains:      manager.TrustDomains, Bundle: manager.Root, Authority: manager.Generation, Version: version.Version,
		Epoch: epoch, Address: gateway, Mirror: c.mirror, Apply: c.sink().Apply,
		Storage: storage, Log: c.log.WithName("peers"), Metrics: c.metrics.registry, Now: time.Now, Jitter: rand.Float64,
	}
}

// namespaceUID returns the UID of a namespace. Another one means that the mesh was made anew, or restored from a backup.
func namespaceUID(ctx context.Context, clients kubernetes.Interface, name string) (string, error) {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	found, err := clients.CoreV1().Namespaces().List(ctx, metav1.ListOptions{FieldSelector: selector}) // the verb get is not granted
	if err != nil {
		return "", err
	}
	if len(found.Items) != 1 {
		return "", fmt.Errorf("the namespace %s does not exist", name)
	}
	return string(found.Items[0].UID), nil
}

// load puts what peers said before the start in force. The caller has queued everything that exists for the mirror, and lets no sidecar connect before.
func (p *peers) load(ctx context.Context) {
	defer close(p.loaded)
	p.mirror.Watch(kindPeers, func(context.Context, entity.Name) { p.notify() })
	for !p.mirror.IsIdle() && ctx.Err() == nil {
		time.Sleep(mirrorPoll)
	}
	if err := p.update(ctx); err != nil {
		p.log.Error(err, "what peers have said is not known yet")
		p.notify()
	}
}

func (p *peers) notify() {
	signal(p.changed)
}

func signal(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// list returns the peers that count.
func (p *peers) list() (list []peering.Peer) {
	p.mirror.Read(kindPeers.Ref(entity.Name{}), func(v *catalog.View) {
		list = lists.Map(v.Peers(), func(peer *catalog.Peer) peering.Peer {
			return peering.Peer{Name: peer.Name, TrustDomain: peer.TrustDomain, RootsPEM: peer.RootsPEM, Follow: peer.Follow, Gateways: peer.Gateways}
		})
	})
	return list
}

// removeStored removes what is stored for MeshPeers that were deleted while no control plane ran.
func (p *peers) removeStored(ctx context.Context) {
	if err := p.retain(ctx, lists.Map(p.list(), func(peer peering.Peer) string { return peer.Name })); err != nil && ctx.Err() == nil {
		p.log.Error(err, "the stored state of removed peers remains")
		time.AfterFunc(peersRetry, func() { signal(p.acquired) })
	}
}

// update sets the peers of the exchange, which it opens for the first of them.
func (p *peers) update(ctx context.Context) error {
	list := p.list()
	if p.exchange.Load() == nil && len(list) > 0 {
		epoch, err := p.epoch(ctx)
		if err != nil {
			return err
		}
		p.exchange.Store(p.open(epoch))
	}
	if exchange := p.exchange.Load(); exchange != nil {
		exchange.SetPeers(ctx, list)
	}
	return nil
}

// run follows the list of peers until ctx ends.
func (p *peers) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.loaded:
	}
	for p.exchange.Load() == nil {
		if !p.follow(ctx) {
			return nil
		}
	}
	listener, err := p.listen()
	if err != nil {
		return fmt.Errorf("the server for peers cannot listen: %w", err)
	}
	return runAll(ctx,
		func(running context.Context) error { return p.exchange.Load().Run(running, listener) },
		func(running context.Context) error {
			for p.follow(running) {
				continue
			}
			return nil
		},
	)
}

// follow waits for a change of the list of peers, or for the storage. It returns false when ctx ends.
func (p *peers) follow(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.acquired:
		p.removeStored(ctx)
		return true
	case <-p.changed:
	}
	if err := p.update(ctx); err != nil {
		p.log.Error(err, "peers are not set up")
		time.AfterFunc(peersRetry, p.notify)
	}
	return true
}

// isLoaded reports whether what peers said before the start is in force.
func (p *peers) isLoaded() bool {
	select {
	case <-p.loaded:
		return true
	default:
		return false
	}
}

// current returns the exchange with peers; nil before the first of them.
func (p *peers) current() peerstatus.Exchange {
	if exchange := p.exchange.Load(); exchange != nil {
		return exchange
	}
	return nil
}

// Imports implements server.Peers.
func (p *peers) Imports(peer string) (imports peering.Imports, ok bool) {
	if exchange := p.exchange.Load(); exchange != nil {
		return exchange.Imports(peer)
	}
	return peering.Imports{}, false
}

// addStatus adds the controllers that write the status of peers, exports and imports to mgr.
func (p *peers) addStatus(mgr manager.Manager, definitions *traffic.Definitions, leader *status.Leader, c *ControlPlane) error {
	return peerstatus.Writers{
		Client: mgr.GetClient(), Leading: leader.Leading, OnLead: leader.Notify, Mirror: p.mirror, Ready: p.isLoaded, Exchange: p.current,
		Domains: c.authority.manager.TrustDomains, Mesh: c.config.Mesh, Version: version.Version, Now: time.Now,
	}.Setup(mgr, definitions)
}
