package catalog

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// WholeShare are all requests to a Service, in percent.
const WholeShare = 100

// MaxPeers is how many peers a mesh has. Of more MeshPeers, the oldest count.
const MaxPeers = 16

// Peer is another mesh (MeshPeer of operator.openservicemesh.io).
type Peer struct {
	Name    string
	Created time.Time
	// TrustDomain is that of the peer. All its names end with it.
	TrustDomain string
	// RootsPEM are the declared roots of the peer. They are trusted for names in its trust domain only.
	RootsPEM []byte
	// Follow is true if the roots are trusted too that the peer changes to.
	Follow bool
	// Gateways accept connections to the peer: one DNS name, or addresses.
	Gateways []Server
	// Direct is true if sidecars connect to the gateways themselves, and false if the peer gateway of this mesh does it for them.
	Direct bool
}

// GatewayName returns the gateway with a DNS name; ok is false if the gateways have addresses.
func (p *Peer) GatewayName() (gateway Server, ok bool) {
	if len(p.Gateways) == 0 {
		return Server{}, false
	}
	_, err := netip.ParseAddr(p.Gateways[0].Host)
	return p.Gateways[0], err != nil
}

// GatewayAddresses returns the addresses of the gateways, sorted: those of the family of the first one, which all pods should reach.
func (p *Peer) GatewayAddresses() []netip.AddrPort {
	var addresses []netip.AddrPort
	for _, gateway := range p.Gateways {
		address, err := netip.ParseAddr(gateway.Host)
		if err == nil && (len(addresses) == 0 || address.Is4() == addresses[0].Addr().Is4()) {
			addresses = append(addresses, netip.AddrPortFrom(address, gateway.Port))
		}
	}
	return lists.UniqueFunc(addresses, netip.AddrPort.Compare)
}

// Ref implements Entry.
func (p *Peer) Ref() entity.Ref { return entity.KindMeshPeer.Ref(entity.Name{Name: p.Name}) }

// Deps implements Entry.
func (p *Peer) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepPeers})
}

// PeerTrust are the roots of a peer that follows its declared ones: these, and others that the peer has sent. Only the control plane makes it, which has
// verified that the earlier roots prove the later ones.
type PeerTrust struct {
	Peer     string
	RootsPEM []byte
}

// Ref implements Entry.
func (p *PeerTrust) Ref() entity.Ref { return entity.KindPeerTrust.Ref(entity.Name{Name: p.Peer}) }

// Deps implements Entry.
func (p *PeerTrust) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepPeers})
}

// TrustedRoots returns the roots that are trusted for the names of a peer.
func (v *View) TrustedRoots(peer *Peer) []byte {
	followed := read[*PeerTrust](v, entity.Dep{Kind: entity.DepPeers}, entity.KindPeerTrust, entity.Name{Name: peer.Name})
	if followed != nil && peer.Follow {
		return followed.RootsPEM
	}
	return peer.RootsPEM
}

// Peers returns the peers that count, sorted by name. Of peers whose accounts could have the same names, the oldest counts.
func (v *View) Peers() []*Peer {
	peers, _ := v.countedPeers()
	slices.SortFunc(peers, func(a, b *Peer) int { return cmp.Compare(a.Name, b.Name) })
	return peers
}

// OlderPeer returns the peer that counts in place of another one, because their accounts could have the same names; nil without one.
func (v *View) OlderPeer(name string) *Peer {
	_, older := v.countedPeers()
	return older[name]
}

// countedPeers returns the peers that count, the oldest first, and for the names of others the peer with precedence. Those beyond MaxPeers have none.
func (v *View) countedPeers() (peers []*Peer, older map[string]*Peer) {
	list, older := Find[*Peer](v, entity.KindMeshPeer, entity.Dep{Kind: entity.DepPeers}), map[string]*Peer{}
	slices.SortStableFunc(list, func(a, b *Peer) int { return a.Created.Compare(b.Created) })
	for _, peer := range list {
		shared := slices.IndexFunc(peers, func(older *Peer) bool { return identity.SharesNames(older.TrustDomain, peer.TrustDomain) })
		switch {
		case shared >= 0:
			older[peer.Name] = peers[shared]
		case len(peers) < MaxPeers:
			peers = append(peers, peer)
		}
	}
	return peers, older
}

// Peer returns the peer with a name, or nil if there is none that counts.
func (v *View) Peer(name string) *Peer {
	peers := v.Peers()
	if i := slices.IndexFunc(peers, func(p *Peer) bool { return p.Name == name }); i >= 0 {
		return peers[i]
	}
	return nil
}

// ServiceExport lets peers call a Service as far as policies grant it (multicluster.x-k8s.io).
type ServiceExport struct {
	// Name is that of the Service.
	Name entity.Name
	// Any exports to all peers, else Peer is the only one.
	Any  bool
	Peer string
}

// Ref implements Entry.
func (e *ServiceExport) Ref() entity.Ref { return entity.KindServiceExport.Ref(e.Name) }

// Deps implements Entry.
func (e *ServiceExport) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepExports}, entity.DepExport.Of(e.Name))
}

// Includes reports whether the Service is exported to a peer.
func (e *ServiceExport) Includes(peer string) bool { return e.Any || e.Peer == peer }

// Export returns the ServiceExport of a Service, or nil.
func (v *View) Export(service entity.Name) *ServiceExport {
	return Named[*ServiceExport](v, entity.KindServiceExport, entity.DepExport, service)
}

// Exports returns all ServiceExports, sorted by name.
func (v *View) Exports() []*ServiceExport {
	return Find[*ServiceExport](v, entity.KindServiceExport, entity.Dep{Kind: entity.DepExports})
}

// PeerTargetsIn returns the TrafficTargets to accounts of a namespace that have accounts of peers among their sources, sorted by name.
func (v *View) PeerTargetsIn(namespace string) []*TrafficTarget {
	return Find[*TrafficTarget](v, entity.KindTrafficTarget, entity.DepPeerTargetsIn.In(namespace))
}

// ServiceImport is the consent to a Service of a peer, which workloads call as the Service of the same name here (multicluster.x-k8s.io).
type ServiceImport struct {
	Name entity.Name
	Peer string
	// Joined is true if the Service of the peer stands in for a Service with pods in this cluster.
	Joined bool
	// Share is how many percent of the requests and TCP connections of a joined Service the peer answers while both have endpoints; 0 if none.
	Share uint32
}

// Ref implements Entry.
func (i *ServiceImport) Ref() entity.Ref { return entity.KindServiceImport.Ref(i.Name) }

// Deps implements Entry.
func (i *ServiceImport) Deps(list []entity.Dep) []entity.Dep {
	list = append(list, entity.DepImport.Of(i.Name))
	if i.Joined {
		list = append(list, entity.Dep{Kind: entity.DepJoined})
	}
	return list
}

// Import returns the ServiceImport of a Service, or nil.
func (v *View) Import(service entity.Name) *ServiceImport {
	return read[*ServiceImport](v, entity.DepImport.Of(service), entity.KindServiceImport, service)
}

// PeerService is a Service as its peer describes it.
type PeerService struct {
	Peer  string
	Name  entity.Name
	Ports []PeerPort
}

// PeerPort is a port of a Service of a peer. The lists are sorted.
type PeerPort struct {
	Number uint16
	// Ready is true if the port has an endpoint that accepts connections.
	Ready bool
	// Servers are the accounts of the pods behind the Service; empty while it has none.
	Servers []identity.PeerAccount
	// Clients are the accounts of this mesh that the peer admits.
	Clients []identity.ServiceAccount
}

// Ref implements Entry. A peer describes each of its Services once.
func (s *PeerService) Ref() entity.Ref {
	return entity.KindPeerService.Ref(entity.Name{Namespace: s.Name.Namespace, Name: s.Name.Name + "@" + s.Peer})
}

// Deps implements Entry.
func (s *PeerService) Deps(list []entity.Dep) []entity.Dep {
	list = append(list, entity.DepImport.Of(s.Name))
	return append(list, lists.Map(s.clients(), func(client identity.ServiceAccount) entity.Dep { return entity.DepImportsFor.Of(entity.Name(client)) })...)
}

func (s *PeerService) clients() []identity.ServiceAccount {
	all := lists.FlatMap(s.Ports, func(p PeerPort) []identity.ServiceAccount { return p.Clients })
	return lists.UniqueFunc(all, identity.ServiceAccount.Compare)
}

// Port returns a port of the Service; ok is false without one.
func (s *PeerService) Port(number uint16) (port PeerPort, ok bool) {
	i := slices.IndexFunc(s.Ports, func(p PeerPort) bool { return p.Number == number })
	if i < 0 {
		return PeerPort{}, false
	}
	return s.Ports[i], true
}

type joinedKey struct{}

// StandIn returns the Service of a peer that answers while no pod of this cluster can, for a Service with a selector, or nil. It needs a ServiceImport that
// joins it. The share is how many percent of the requests it answers always. Clients of a headless Service choose their pod, so there is no share of them.
func (v *View) StandIn(service *inventory.Service) (standIn *PeerService, share uint32) {
	if !service.HasSelector() {
		return nil, 0
	}
	consent := v.joined(service.Name)
	if consent == nil || v.Peer(consent.Peer) == nil {
		return nil, 0
	}
	described := (&PeerService{Peer: consent.Peer, Name: service.Name}).Ref()
	standIn = read[*PeerService](v, entity.DepImport.Of(service.Name), described.Kind, described.Name)
	if standIn == nil || service.Headless() {
		return standIn, 0
	}
	return standIn, consent.Share
}

// joined returns the ServiceImport of a Service that joins one of a peer, or nil. One dependency is common to all Services, because few have one.
func (v *View) joined(service entity.Name) *ServiceImport {
	declared := Memo(v, joinedKey{}, func() map[entity.Name]*ServiceImport {
		imports := map[entity.Name]*ServiceImport{}
		for _, i := range Find[*ServiceImport](v, entity.KindServiceImport, entity.Dep{Kind: entity.DepJoined}) {
			imports[i.Name] = i
		}
		return imports
	})
	return declared[service]
}

// Imported returns the Service of a peer that stands behind a Service without a selector, or nil. It needs a ServiceImport of the same name, and a peer that
// exports the Service.
func (v *View) Imported(service *inventory.Service) *PeerService {
	if service.HasSelector() {
		return nil // without a dependency, because nearly all Services have one
	}
	consent := v.Import(service.Name)
	if consent == nil || v.Peer(consent.Peer) == nil {
		return nil
	}
	described := (&PeerService{Peer: consent.Peer, Name: service.Name}).Ref()
	return read[*PeerService](v, entity.DepImport.Of(service.Name), described.Kind, described.Name)
}

// ServiceOfPeer returns the Service of a peer that answers requests to a Service, alone or joined with pods of this mesh, or nil. The share of a joined
// one is that of StandIn.
func (v *View) ServiceOfPeer(service *inventory.Service) (described *PeerService, share uint32) {
	if service.HasSelector() {
		return v.StandIn(service)
	}
	return v.Imported(service), 0
}

// ImportsFor returns the names of the Services of peers that admit a client, sorted. Not all of them need be imported.
func (v *View) ImportsFor(client identity.ServiceAccount) []entity.Name {
	services := Find[*PeerService](v, entity.KindPeerService, entity.DepImportsFor.Of(entity.Name(client)))
	return lists.UniqueFunc(lists.Map(services, func(s *PeerService) entity.Name { return s.Name }), entity.Name.Compare)
}

// PeerGatewayAddresses are the addresses through which connections to peers leave the mesh, none without a peer gateway.
func (v *View) PeerGatewayAddresses() []netip.Addr {
	if service := v.AnyService(entity.Name{Namespace: v.Settings().Namespace, Name: names.PeerLeaving}); service != nil {
		return service.ClusterIPs
	}
	return nil
}

// IsPeerGateway reports whether a pod belongs to the peer gateway of the mesh.
func (v *View) IsPeerGateway(pod *inventory.Instance) bool {
	return v.isGatewayPod(pod, names.PeerGateway)
}
