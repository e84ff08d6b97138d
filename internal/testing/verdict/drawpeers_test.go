package verdict

import (
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// addPeers adds the generators of what peers need: their declarations, and exports.
func addPeers(add func(entity.Kind, int, entity.Name, func(*rapid.T) catalog.Entry)) {
	for _, name := range peerNames {
		add(entity.KindMeshPeer, 2, entity.Name{Name: name}, func(t *rapid.T) catalog.Entry { return drawPeer(t, name) })
	}
	for _, s := range services {
		add(entity.KindServiceExport, 1, s.name, func(t *rapid.T) catalog.Entry { return drawExport(t, s.name) })
	}
}

// drawPeer draws a peer that mostly has its trust domain. Otherwise, it has the one of another peer, or one below it.
func drawPeer(t *rapid.T, name string) catalog.Entry {
	peer := Peer(name, peerDomain(name))
	peer.Created = time.Unix(int64(below(t, 2, "created")), 0)
	if oneIn(t, 8, "with names of another peer") {
		peer.TrustDomain = oneOf([]string{peerDomain(peerNames[0]), "below." + peerDomain(peerNames[0]), trustDomain}).Draw(t, "trust domain")
	}
	return peer
}

func drawExport(t *rapid.T, service entity.Name) catalog.Entry {
	if oneIn(t, 3, "to one peer") {
		return &catalog.ServiceExport{Name: service, Peer: oneOf(peerNames).Draw(t, "peer")}
	}
	return &catalog.ServiceExport{Name: service, Any: true}
}

// drawPeerSources draws the sources of peers in a TrafficTarget. They have the names of accounts of this mesh.
func drawPeerSources(t *rapid.T) []identity.PeerAccount {
	if !oneIn(t, 2, "sources of peers") {
		return nil
	}
	sources := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) identity.PeerAccount {
		sa := oneOf(accounts).Draw(t, "account")
		return identity.PeerAccount{Peer: oneOf(peerNames).Draw(t, "peer"), Namespace: sa.Namespace, Name: sa.Name}
	}), 1, 3, rapid.ID).Draw(t, "sources")
	slices.SortFunc(sources, identity.PeerAccount.Compare)
	return sources
}

// peerTarget is a port of a pod that a client of a peer can request as a port of a Service.
type peerTarget struct {
	service entity.Name
	port    uint16
	address netip.AddrPort
}

// peerTargets are the ports of the pods behind all Services.
func (o *oracle) peerTargets() []peerTarget {
	var list []peerTarget
	view := o.catalog.View()
	for _, service := range o.services {
		for _, port := range service.Ports {
			for _, b := range view.Backends(service, port) {
				if podAt(b.Address.Addr()) >= 0 {
					list = append(list, peerTarget{service.Name, port.Number, b.Address})
				}
			}
		}
	}
	return list
}

// acceptsTLS reports whether an IngressBackend opens a port of pods for TLS.
func (o *oracle) acceptsTLS(port uint16) bool {
	for _, e := range o.state {
		policy, ok := e.(*ingressbackend.Policy)
		if ok && slices.ContainsFunc(policy.Backends, func(b ingressbackend.Port) bool { return b.TLS && b.TargetPort == port }) {
			return true
		}
	}
	return false
}

// targetsOfPeers are those of two states. Ports that accept TLS from outside the mesh in one of them are left out: whoever may connect there needs no certificate
// of a peer.
func targetsOfPeers(before, after *oracle) []peerTarget {
	return slices.DeleteFunc(slices.Concat(before.peerTargets(), after.peerTargets()), func(target peerTarget) bool {
		return before.acceptsTLS(target.address.Port()) || after.acceptsTLS(target.address.Port())
	})
}

// podAt returns the index of the pod with an IPv4 address, or -1.
func podAt(address netip.Addr) int {
	return slices.IndexFunc(podIndexes, func(i int) bool { return podAddress(i) == address })
}

// drawPeerRequest draws a request of a client of a peer, with a certificate that is genuine or forged.
func drawPeerRequest(t *rapid.T, targets []peerTarget) Request {
	target := oneOf(targets).Draw(t, "target")
	client := PeerClient{
		Peer: oneOf(peerNames).Draw(t, "peer"), Account: oneOf(accounts).Draw(t, "account"), Forgery: genuineClient, Service: target.service, Port: target.port,
	}
	if !oneIn(t, 2, "genuine") {
		client.Forgery = oneOf(forgeries()).Draw(t, "forgery").name
	}
	r := Request{Client: client, From: outsideAddresses[0], To: target.address}
	if r.protocol() == inventory.ProtocolHTTP {
		r.Method, r.Path = anyMethod.Draw(t, "method"), anyPath.Draw(t, "path")
		r.Headers = []authz.Header{{Name: ":authority", Value: anyHost.Draw(t, "host")}}
		if oneIn(t, 2, "header") {
			r.Headers = append(r.Headers, anyHeader.Draw(t, "header"))
		}
	}
	return r
}
