package envoy

import (
	"fmt"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Clients of peers have filter chains of their own. The server name selects a chain and proves nothing: the chain trusts the roots of one peer only, and its
// rules have accounts of that peer only. A root of a peer therefore never proves an account of this mesh, nor that of another peer.

// peerClient are the clients of a peer that share a filter chain: all of them on a port with HTTP, and those of one account on others.
type peerClient struct {
	inboundPort
	peer        scope.Peer
	rules       authz.PeerRules
	serverNames []string
	// account is zero on ports with HTTP.
	account identity.PeerAccount
}

// peerClients are the clients of peers with filter chains, in the order of ports, at most scope.MaxPeerChains. Others cannot connect.
func peerClients(s *translation, inbound []inboundPort) []peerClient {
	var clients []peerClient
	for _, in := range inbound {
		for _, of := range in.Peers {
			clients = append(clients, clientsOfPeer(s, in, of)...)
		}
	}
	return clients[:min(len(clients), scope.MaxPeerChains)]
}

// clientsOfPeer are none without roots of the peer. A port with HTTP has its chain also if no account may connect: a chain that is removed would serve open
// connections with its last rules until they are drained.
func clientsOfPeer(s *translation, in inboundPort, of scope.PeerInbound) []peerClient {
	peer, trusted := trustedPeer(s, of.Peer)
	client := peerClient{inboundPort: in, peer: peer, serverNames: peerServerNames(s, in.Service, of.Ports, peer)}
	if !trusted || len(client.serverNames) == 0 || of.Rules.Permissive {
		return nil
	}
	if in.Protocol.IsHTTP() {
		client.rules = rulesFor(of.Rules, func(account identity.PeerAccount) bool { return account.Peer == of.Peer })
		return []peerClient{client}
	}
	var clients []peerClient
	for _, account := range allowedAccounts(of) {
		client.account, client.rules = account, rulesFor(of.Rules, func(other identity.PeerAccount) bool { return other == account })
		clients = append(clients, client)
	}
	return clients
}

// allowedAccounts are the accounts of the peer that may connect, sorted. Those with a name that is too long for a chain may not.
func allowedAccounts(of scope.PeerInbound) []identity.PeerAccount {
	return lists.Filter(of.Accounts(), func(account identity.PeerAccount) bool {
		return account.Peer == of.Peer && len(account.Name) <= scope.MaxClientName
	})
}

// rulesFor are the rules for some accounts.
func rulesFor(rules authz.PeerRules, includes func(identity.PeerAccount) bool) authz.PeerRules {
	var only authz.PeerRules
	for _, rule := range rules.Network {
		if rule.Sources = lists.Filter(rule.Sources, includes); len(rule.Sources) > 0 {
			only.Network = append(only.Network, rule)
		}
	}
	for _, route := range rules.Routes {
		route.Sources = lists.Filter(route.Sources, includes)
		only.Routes = append(only.Routes, route)
	}
	return only
}

// peerNamed returns a peer by its name.
func peerNamed(s *translation, name string) (scope.Peer, bool) {
	i := slices.IndexFunc(s.Peers, func(p scope.Peer) bool { return p.Name == name })
	if i < 0 || s.Peers[i].TrustDomain == "" {
		return scope.Peer{}, false
	}
	return s.Peers[i], true
}

// trustedPeer returns a peer with roots by its name. Envoy would accept every certificate where there are no roots.
func trustedPeer(s *translation, name string) (scope.Peer, bool) {
	peer, known := peerNamed(s, name)
	return peer, known && len(peer.RootsPEM) > 0
}

// peerServerNames are the names by which clients of a peer request ports of a Service. Names that are too long do not exist.
func peerServerNames(s *translation, service entity.Name, ports []uint16, peer scope.Peer) []string {
	var names []string
	for _, port := range ports {
		for _, domain := range s.AcceptedServerDomains() {
			if name, ok := identity.PeerServerName(service.Name, service.Namespace, port, domain, peer.TrustDomain); ok {
				names = append(names, name)
			}
		}
	}
	return lists.Unique(names)
}

// peerChains are the filter chains of a port for clients of peers.
func peerChains(s *translation, in inboundPort, clients []peerClient) []*listenerv3.FilterChain {
	var chains []*listenerv3.FilterChain
	for i := range clients {
		if client := &clients[i]; client.Service == in.Service && client.TargetPort == in.TargetPort {
			chains = append(chains, client.chain(s))
		}
	}
	return chains
}

func (c *peerClient) chain(s *translation) *listenerv3.FilterChain {
	chain := newInboundChain(c.inboundPort, c.chainName(), inboundProxy(s, c.inboundPort, c.routeName()), c.tls(s))
	chain.FilterChainMatch.ServerNames = c.serverNames
	if !c.Protocol.IsHTTP() {
		chain.FilterChainMatch.ApplicationProtocols = []string{clientALPN(c.account.Namespace, c.account.Name)}
	}
	return chain
}

// tls admits the account of a chain that has one. Elsewhere the rules decide, before the first request. On TCP ports they decide when the first bytes of the
// client arrive: the handshake admits a certificate of the account that also has a name of this mesh, and the first bytes of a server reach it.
func (c *peerClient) tls(s *translation) *corev3.TransportSocket {
	common := commonTLS(s, peerTrustName(c.peer.Name))
	if !c.Protocol.IsHTTP() {
		admitOnly(common, allowedPrincipals([]identity.PeerAccount{c.account}, []string{c.peer.TrustDomain}))
	}
	return serverSocket(common)
}

// chainName ends with the protocol, because logs distinguish chains by it.
func (c *peerClient) chainName() string {
	who := c.peer.Name
	if !c.Protocol.IsHTTP() {
		who = c.account.String()
	}
	return fmt.Sprintf("inbound_of_peer_%s_%s_%d_%s", who, c.Service, c.TargetPort, c.Protocol)
}

func (c *peerClient) routeName() string {
	return inboundRouteName(c.inboundPort) + "|peer/" + c.peer.Name
}

// peerAccounts recognizes the accounts of a peer. A certificate that also has a name of this mesh is none of theirs: logs and the application would take the
// client for one of this mesh.
func peerAccounts(s *translation, peer scope.Peer) recognition {
	domains := slices.Concat(s.KnownTrustDomains, s.AcceptedClientDomains(), s.AcceptedServerDomains(), []string{s.TrustDomain})
	return recognition{trustDomains: []string{peer.TrustDomain}, forbidden: anyOf(lists.FlatMap(lists.Unique(domains), namesIn))}
}

// namesIn match certificates with a DNS name or a URI in a trust domain.
func namesIn(trustDomain string) []*rbacv3.Principal {
	return []*rbacv3.Principal{
		authenticated(&rbacv3.Principal_Authenticated{PrincipalName: suffix("." + trustDomain)}),
		authenticated(&rbacv3.Principal_Authenticated{PrincipalName: prefix("spiffe://" + trustDomain + "/")}),
	}
}

// peerNetworkFilters are the permissions of the chains for peers.
func peerNetworkFilters(s *translation, inbound []inboundPort) []*corev3.TypedExtensionConfig {
	clients := peerClients(s, inbound)
	configs := make([]*corev3.TypedExtensionConfig, 0, len(clients))
	for i := range clients {
		c := &clients[i]
		configs = append(configs, networkRBAC(chainRBACName(c.chainName()), networkPolicies(c.rules, peerAccounts(s, c.peer))))
	}
	return configs
}

// peerRouteConfigs are the routes of the chains for peers. Their rules have no accounts of this mesh.
func peerRouteConfigs(s *translation, inbound []inboundPort) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	clients := peerClients(s, inbound)
	for i := range clients {
		if c := &clients[i]; c.Protocol.IsHTTP() {
			out = append(out, inboundRoutes(s, c.inboundPort, c.routeName(), c.rules.Routes, peerAccounts(s, c.peer)))
		}
	}
	return out
}
