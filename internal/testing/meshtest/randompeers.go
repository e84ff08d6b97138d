package meshtest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// peerNames are the names of random peers.
var peerNames = []string{"east", "west"}

// PeerChange draws a random edit of a small mesh with peers: of a peer, of what is exported to it, of what is imported from it, or of what else Change edits.
func PeerChange() *rapid.Generator[catalog.Change] {
	ofPeers := rapid.Custom(func(t *rapid.T) catalog.Change {
		change := catalog.Set(rapid.OneOf(
			entry(drawPeer), entry(drawExport), entry(drawImport), entry(drawPeerService), entry(drawTargetForPeers),
			entry(drawServiceOfPeer), entry(drawLeaving), entry(drawPeerTrust),
		).Draw(t, "entry of peers"))
		if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
			change.Entry = nil
		}
		return change
	})
	return rapid.OneOf(Change(), ofPeers, ofPeers)
}

// PeerGatewayOf returns the pod of a peer gateway, for a mesh whose settings name the namespace.
func PeerGatewayOf(namespace string) *inventory.Instance {
	pod := Pod(namespace, names.PeerGateway+"-0", names.PeerGateway, names.PeerGateway, "10.0.9.9")
	return pod
}

// LeavingService returns the Service through which connections to peers leave the mesh.
func LeavingService(namespace, address string) *inventory.Service {
	return Service(namespace, names.PeerLeaving, names.PeerGateway, address, names.PeerLeavingPort, inventory.ProtocolTCP)
}

// Peer returns a peer with a trust domain and a gateway.
func Peer(name, trustDomain string) *catalog.Peer {
	return &catalog.Peer{
		Name: name, TrustDomain: trustDomain, RootsPEM: []byte("roots of " + name),
		Gateways: []catalog.Server{{Host: name + ".example.com", Port: names.PeerGatewayPort}},
	}
}

func drawPeer(t *rapid.T) *catalog.Peer {
	name := rapid.SampledFrom(peerNames).Draw(t, "peer")
	peer := Peer(name, rapid.SampledFrom([]string{name + ".example", "shared.example", "below.shared.example", "cluster.local"}).Draw(t, "trust domain"))
	peer.Created = time.Unix(rapid.Int64Range(0, 2).Draw(t, "created"), 0)
	if rapid.Bool().Draw(t, "new root") {
		peer.RootsPEM = []byte("new roots")
	}
	peer.Follow = rapid.Bool().Draw(t, "follow")
	return peer
}

func drawPeerTrust(t *rapid.T) *catalog.PeerTrust {
	return &catalog.PeerTrust{Peer: rapid.SampledFrom(peerNames).Draw(t, "peer"), RootsPEM: []byte("followed roots")}
}

func drawExport(t *rapid.T) *catalog.ServiceExport {
	export := &catalog.ServiceExport{Name: drawName(t), Any: rapid.Bool().Draw(t, "to any peer")}
	if !export.Any {
		export.Peer = rapid.SampledFrom(peerNames).Draw(t, "to the peer")
	}
	return export
}

func drawImport(t *rapid.T) *catalog.ServiceImport {
	imported := &catalog.ServiceImport{Name: drawName(t), Peer: rapid.SampledFrom(peerNames).Draw(t, "from the peer"), Joined: rapid.Bool().Draw(t, "joined")}
	if imported.Joined {
		imported.Share = rapid.SampledFrom([]uint32{0, 1, 20}).Draw(t, "share")
	}
	return imported
}

func drawPeerService(t *rapid.T) *catalog.PeerService {
	peer := rapid.SampledFrom(peerNames).Draw(t, "peer")
	service := &catalog.PeerService{Peer: peer, Name: drawName(t)}
	for _, number := range rapid.SliceOfNDistinct(rapid.SampledFrom([]uint16{80, 81}), 1, 2, rapid.ID).Draw(t, "ports") {
		server := drawName(t)
		port := catalog.PeerPort{
			Number: number, Ready: rapid.IntRange(0, 3).Draw(t, "not ready") > 0,
			Servers: []identity.PeerAccount{{Peer: peer, Namespace: server.Namespace, Name: server.Name}},
			Clients: rapid.SliceOfN(rapid.Custom(drawAccount), 1, 3).Draw(t, "clients"),
		}
		slices.SortFunc(port.Clients, identity.ServiceAccount.Compare)
		service.Ports = append(service.Ports, port)
	}
	return service
}

// drawTargetForPeers draws a TrafficTarget with accounts of peers among its sources.
func drawTargetForPeers(t *rapid.T) *catalog.TrafficTarget {
	target := drawTarget(t)
	for range rapid.IntRange(1, 2).Draw(t, "accounts of peers") {
		name := drawName(t)
		target.PeerSources = append(target.PeerSources, identity.PeerAccount{
			Peer: rapid.SampledFrom(peerNames).Draw(t, "peer"), Namespace: name.Namespace, Name: name.Name,
		})
	}
	slices.SortFunc(target.PeerSources, identity.PeerAccount.Compare)
	return target
}

// drawServiceOfPeer draws a Service that can stand for one of a peer: it selects no pods.
func drawServiceOfPeer(t *rapid.T) *inventory.Service {
	service := drawService(t)
	service.Selector = nil
	return service
}

// drawLeaving draws the Service of the peer gateway, in one of the namespaces that random settings name.
func drawLeaving(t *rapid.T) *inventory.Service {
	namespace := rapid.SampledFrom([]string{"osm-system", "a"}).Draw(t, "namespace")
	return LeavingService(namespace, rapid.SampledFrom([]string{"10.96.9.1", "10.96.9.2"}).Draw(t, "address"))
}

// ImportOf returns the consent to a Service of a peer, and what the peer says about one of its ports.
func ImportOf(peer string, service entity.Name, port uint16, server identity.ServiceAccount, clients ...identity.ServiceAccount) []catalog.Entry {
	return []catalog.Entry{
		&catalog.ServiceImport{Name: service, Peer: peer},
		&catalog.PeerService{Peer: peer, Name: service, Ports: []catalog.PeerPort{{
			Number: port, Ready: true, Servers: []identity.PeerAccount{{Peer: peer, Namespace: server.Namespace, Name: server.Name}}, Clients: clients,
		}}},
	}
}
