package authz

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// sourcesOfPeer returns the sources of a target that are accounts of a peer.
func sourcesOfPeer(peer string) sourcesOf[identity.PeerAccount] {
	return func(target *catalog.TrafficTarget) []identity.PeerAccount {
		return lists.Filter(target.PeerSources, func(account identity.PeerAccount) bool { return account.Peer == peer })
	}
}

// InboundPeerRules are the rules of a workload identity for the clients of a peer on a container port. Only TrafficTargets admit them: no mesh and no namespace
// is permissive for peers.
func InboundPeerRules(v *catalog.View, destination identity.ServiceAccount, port uint16, protocol inventory.Protocol, peer string) PeerRules {
	sources := sourcesOfPeer(peer)
	var granting []grant
	for _, target := range v.TargetsTo(destination) {
		if len(sources(target)) == 0 {
			continue
		}
		if g := grantOf(v, target); g.connects(port, protocol) {
			granting = append(granting, g)
		}
	}
	return rulesOf(v, granting, protocol.IsHTTP(), peer, sources)
}

// GrantedPeers returns the accounts of a peer that may connect to a port of a Service, sorted: those that TrafficTargets admit to an identity behind it.
// While a Service with a selector has no pod, nobody knows the identities of its next pods, so those of its whole namespace count.
func GrantedPeers(v *catalog.View, service *inventory.Service, port inventory.Port, peer string) []identity.PeerAccount {
	protocol := EffectiveProtocol(v, service, port)
	servers := v.ServiceIdentities(service.Name)
	if len(servers) == 0 && service.HasSelector() {
		return grantedInNamespace(v, service, port, peer)
	}
	var accounts []identity.PeerAccount
	for _, server := range servers {
		for _, target := range v.TargetPorts(service, port) {
			for _, rule := range InboundPeerRules(v, server, target, protocol, peer).Network {
				accounts = append(accounts, rule.Sources...)
			}
		}
	}
	return lists.UniqueFunc(accounts, identity.PeerAccount.Compare)
}

// grantedInNamespace returns the accounts of a peer that TrafficTargets admit to such a port of any identity of a namespace, sorted. A named target port has no
// number without a pod, so each port that a TrafficTarget has can be the one.
func grantedInNamespace(v *catalog.View, service *inventory.Service, port inventory.Port, peer string) []identity.PeerAccount {
	protocol, number := EffectiveProtocol(v, service, port), v.TargetPort(service, port)
	var accounts []identity.PeerAccount
	for _, target := range v.PeerTargetsIn(service.Name.Namespace) {
		g := grantOf(v, target)
		if g.connects(number, protocol) || number == 0 && len(g.ports) > 0 {
			accounts = append(accounts, sourcesOfPeer(peer)(target)...)
		}
	}
	return lists.UniqueFunc(accounts, identity.PeerAccount.Compare)
}

// Imported is a port of a Service of a peer.
type Imported struct {
	Peer string
	catalog.PeerPort
	// Admits is true if the peer admits the client. Only RouteRulesFor sets it.
	Admits bool
	// Share is how many percent of the requests a stand-in answers while both meshes have endpoints; 0 if none.
	Share uint32
}

// standInPort returns the port of a Service of a peer that stands in for a port of a Service, or nil.
func standInPort(v *catalog.View, service *inventory.Service, port inventory.Port) *Imported {
	described, share := v.StandIn(service)
	of := portOfPeer(described, port)
	if of != nil {
		of.Share = share
	}
	return of
}

// PeerShare is how many percent of the requests to the backend a peer answers, while both meshes have endpoints.
func (b *WeightedBackend) PeerShare() uint32 {
	if b.StandIn == nil {
		return 0
	}
	return b.StandIn.Share
}

// resolveStandIn keeps the stand-in for a client that both meshes admit. A client that only the peer admits calls the Service of the peer alone.
func (b *WeightedBackend) resolveStandIn(client identity.ServiceAccount) {
	if b.StandIn == nil {
		return
	}
	b.StandIn = b.StandIn.forClient(client)
	switch {
	case !b.StandIn.Admits:
		b.StandIn = nil
	case len(b.Allowed) == 0:
		b.Imported, b.StandIn, b.Identities = b.StandIn, nil, nil
		b.Imported.Share = 0
	}
}

// importedPort returns the port of a Service of a peer behind a port of a Service, or nil.
func importedPort(v *catalog.View, service *inventory.Service, port inventory.Port) *Imported {
	return portOfPeer(v.Imported(service), port)
}

func portOfPeer(described *catalog.PeerService, port inventory.Port) *Imported {
	if described == nil {
		return nil
	}
	of, ok := described.Port(port.Number)
	if !ok {
		return nil
	}
	return &Imported{Peer: described.Peer, PeerPort: of}
}

// importedFor returns the imported Services of peers that admit a client, sorted.
func importedFor(v *catalog.View, client identity.ServiceAccount) []entity.Name {
	return lists.Filter(v.ImportsFor(client), func(name entity.Name) bool {
		service := v.Service(name)
		return service != nil && IsImportedService(v, service)
	})
}

// IsImportedService reports whether a peer serves a Service, alone or joined with pods of this mesh.
func IsImportedService(v *catalog.View, service *inventory.Service) bool {
	described, _ := v.ServiceOfPeer(service)
	return described != nil
}

// importedBackends returns the backends of a port of a Service whose requests go to peers, each Service once.
func importedBackends(v *catalog.View, r Request) []WeightedBackend {
	service := v.Service(r.Service)
	port, ok := portOf(service, r.Port)
	if !ok {
		return nil
	}
	var backends []WeightedBackend
	for _, rule := range ResolveRoute(v, r.Source, service, port).Rules {
		for _, b := range rule.Backends {
			isKnown := slices.ContainsFunc(backends, func(other WeightedBackend) bool { return other.Service == b.Service })
			if b.Imported != nil && b.Weight > 0 && !isKnown {
				backends = append(backends, b)
			}
		}
	}
	return backends
}

// IsImported reports whether a peer serves some of the requests, or can.
func (route ResolvedRoute) IsImported() bool {
	return slices.ContainsFunc(route.Rules, func(rule RouteRule) bool {
		return slices.ContainsFunc(rule.Backends, func(b WeightedBackend) bool { return b.Imported != nil || b.StandIn != nil })
	})
}

// HasImports reports whether a client may call a Service of a peer.
func HasImports(v *catalog.View, client identity.ServiceAccount) bool {
	return len(importedFor(v, client)) > 0
}

func (i *Imported) forClient(client identity.ServiceAccount) *Imported {
	out := *i
	out.Admits = slices.Contains(i.Clients, client)
	return &out
}

// evaluate returns what this mesh knows about a request. The peer decides about single requests.
func (i *Imported) evaluate(service entity.Name, client identity.ServiceAccount) Answer {
	a := Answer{Outcome: Allowed, Service: service, Peer: i.Peer}
	switch {
	case !i.Admits:
		a.Outcome, a.Missing = Unavailable, i.missing(client)
	case !i.Ready:
		a.Outcome, a.Missing = Unavailable, fmt.Sprintf("a ready pod behind the Service of the peer %s", i.Peer)
	}
	return a
}

// missing describes the policy of the peer that would admit a client.
func (i *Imported) missing(client identity.ServiceAccount) string {
	return fmt.Sprintf("a TrafficTarget of the peer %s that admits %s of this mesh", i.Peer, client)
}
