package scope

import (
	"cmp"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// exportedTo returns the names of the peers to which a Service is exported, sorted.
func exportedTo(v *catalog.View, service entity.Name) []string {
	export := v.Export(service)
	if export == nil {
		return nil
	}
	peers := lists.Map(v.Peers(), func(p *catalog.Peer) string { return p.Name })
	return lists.Filter(peers, export.Includes)
}

// inboundOfPeers returns the clients of peers that TrafficTargets admit to a container port of an exported Service.
func inboundOfPeers(v *catalog.View, key Key, service *inventory.Service, target uint16, protocol inventory.Protocol, peers []string) []PeerInbound {
	if key.Class.OSM {
		return nil // its Envoy cannot tell clients of peers from others
	}
	var list []PeerInbound
	for _, peer := range peers {
		rules := authz.InboundPeerRules(v, key.Identity, target, protocol, peer)
		// Without a permission, a port with HTTP keeps the chain: its rules deny the next request of an open connection, and a chain that goes does not.
		if len(rules.Network) > 0 || protocol.IsHTTP() {
			list = append(list, PeerInbound{Peer: peer, Ports: portsTo(v, service, target), Rules: rules})
		}
	}
	return list
}

// portsTo returns the ports of a Service that lead to a container port, sorted.
func portsTo(v *catalog.View, service *inventory.Service, target uint16) []uint16 {
	var numbers []uint16
	for _, port := range service.Ports {
		if slices.Contains(v.TargetPorts(service, port), target) {
			numbers = append(numbers, port.Number)
		}
	}
	return lists.Unique(numbers)
}

// limitPeerChains removes the clients of peers that are beyond MaxPeerChains, in the order of the ports. Clients of this mesh are not affected.
func (s *Scope) limitPeerChains() {
	left := MaxPeerChains
	if chainsFor(s.Inbound) > left {
		s.removeIdlePeers()
	}
	var limit authz.RouteLimit
	for i := range s.Inbound {
		in := &s.Inbound[i]
		in.Peers = slices.DeleteFunc(in.Peers, func(peer PeerInbound) bool {
			chains := peer.chains(in.Protocol)
			if chains <= left {
				left -= chains
				return false
			}
			for _, rule := range peer.Rules.Network {
				limit.Record(targetOf(rule.Policy))
			}
			return true
		})
	}
	s.addLimited(limit.Limited())
}

func chainsFor(inbound []Inbound) int {
	count := 0
	for i := range inbound {
		count += inbound[i].peerChains()
	}
	return count
}

// removeIdlePeers removes the peers of which no account has a permission.
func (s *Scope) removeIdlePeers() {
	for i := range s.Inbound {
		s.Inbound[i].Peers = slices.DeleteFunc(s.Inbound[i].Peers, func(p PeerInbound) bool { return len(p.Rules.Network) == 0 })
	}
}

// isApart reports whether no account of a peer can have the name of an account of this mesh.
func (s *Scope) isApart(peer *catalog.Peer) bool {
	own := slices.Concat(s.KnownTrustDomains, s.AcceptedClientDomains(), s.AcceptedServerDomains())
	return !slices.ContainsFunc(own, func(domain string) bool { return identity.SharesNames(domain, peer.TrustDomain) })
}

// keepPeers adds the peers to which the proxy has connections. It removes what it has of other peers, such as one with a trust domain of this mesh. Sidecars of
// Open Service Mesh have no peers.
func (s *Scope) keepPeers(v *catalog.View) {
	used := s.peersInUse()
	if len(used) == 0 {
		return
	}
	for _, peer := range v.Peers() {
		if used[peer.Name] && s.isApart(peer) && !s.Key.Class.OSM {
			s.Peers = append(s.Peers, Peer{Name: peer.Name, TrustDomain: peer.TrustDomain, RootsPEM: v.TrustedRoots(peer)})
			delete(used, peer.Name)
		}
	}
	if len(used) > 0 {
		s.removePeers(used)
	}
	s.removeUnnamed()
}

// removeUnnamed removes the ports of peers that no server name can request, because it would be too long. The shares of stand-ins stay in this mesh.
func (s *Scope) removeUnnamed() {
	isUnnamed := func(c Cluster) bool {
		of := cmp.Or(c.Peer, c.StandIn)
		if of == nil {
			return false
		}
		i := slices.IndexFunc(s.Peers, func(p Peer) bool { return p.Name == of.Peer })
		_, ok := identity.PeerServerName(c.Service.Name, c.Service.Namespace, of.Port, s.Peers[i].TrustDomain, s.TrustDomain)
		return !ok
	}
	if !slices.ContainsFunc(s.Clusters, isUnnamed) {
		return
	}
	s.Clusters = slices.DeleteFunc(slices.Clone(s.Clusters), func(c Cluster) bool { return c.Peer != nil && isUnnamed(c) })
	for i := range s.Clusters {
		if isUnnamed(s.Clusters[i]) {
			s.Clusters[i].removeStandIn()
		}
	}
}

// peersInUse returns the names of the peers that the configuration refers to.
func (s *Scope) peersInUse() map[string]bool {
	used := map[string]bool{}
	for i := range s.Inbound {
		for k := range s.Inbound[i].Peers {
			used[s.Inbound[i].Peers[k].Peer] = true
		}
	}
	for i := range s.Clusters {
		for _, peer := range []*PeerDestination{s.Clusters[i].Peer, s.Clusters[i].StandIn} {
			if peer != nil {
				used[peer.Peer] = true
			}
		}
	}
	if s.PeerGateway != nil {
		for _, way := range s.PeerGateway.Peers {
			used[way.Peer] = true
		}
	}
	return used
}

// removePeers removes what refers to some peers. Requests to their Services have status 503.
func (s *Scope) removePeers(names map[string]bool) {
	for i := range s.Inbound {
		s.Inbound[i].Peers = slices.DeleteFunc(s.Inbound[i].Peers, func(p PeerInbound) bool { return names[p.Peer] })
	}
	s.Clusters = slices.DeleteFunc(slices.Clone(s.Clusters), func(c Cluster) bool { return c.Peer != nil && names[c.Peer.Peer] })
	for i := range s.Clusters {
		if standIn := s.Clusters[i].StandIn; standIn != nil && names[standIn.Peer] {
			s.Clusters[i].removeStandIn()
		}
	}
	if s.PeerGateway != nil {
		s.PeerGateway.Peers = slices.DeleteFunc(s.PeerGateway.Peers, func(p PeerWay) bool { return names[p.Peer] })
		s.PeerGateway.Exports = slices.DeleteFunc(s.PeerGateway.Exports, func(e PeerExport) bool { return names[e.Peer] })
	}
}
