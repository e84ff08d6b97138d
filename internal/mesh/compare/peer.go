package compare

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// comparePeers compares what accounts of peers may send to a port of a Service.
func (f *flows) comparePeers(id portID) {
	before, after := grantedToPeers(f.before.view, id), grantedToPeers(f.after.view, id)
	for _, account := range lists.UniqueFunc(slices.Concat(before.accounts(), after.accounts()), identity.PeerAccount.Compare) {
		f.comparePeerAccount(id, account, before, after)
	}
}

// peerRules are the rules for clients of peers behind a port, by destination and peer.
type peerRules []authz.PeerRules

func grantedToPeers(v *catalog.View, id portID) peerRules {
	service := v.Service(id.service)
	export := v.Export(id.service)
	port, ok := portWith(service, id.port)
	if !ok || export == nil {
		return nil
	}
	protocol := authz.EffectiveProtocol(v, service, port)
	var all peerRules
	for _, peer := range v.Peers() {
		for _, server := range v.ServiceIdentities(id.service) {
			rules := authz.InboundPeerRules(v, server, v.TargetPort(service, port), protocol, peer.Name)
			if export.Includes(peer.Name) && len(rules.Network) > 0 {
				all = append(all, rules)
			}
		}
	}
	return all
}

func portWith(service *inventory.Service, number uint16) (inventory.Port, bool) {
	if service == nil {
		return inventory.Port{}, false
	}
	i := slices.IndexFunc(service.Ports, func(p inventory.Port) bool { return p.Number == number })
	if i < 0 {
		return inventory.Port{}, false
	}
	return service.Ports[i], true
}

func (r peerRules) accounts() []identity.PeerAccount {
	return lists.FlatMap(r, func(rules authz.PeerRules) []identity.PeerAccount {
		return lists.FlatMap(rules.Network, func(rule authz.PeerNetworkRule) []identity.PeerAccount { return rule.Sources })
	})
}

// matches are those of the requests that an account may send.
func (r peerRules) matches(account identity.PeerAccount) []catalog.HTTPMatch {
	return lists.FlatMap(r, func(rules authz.PeerRules) []catalog.HTTPMatch {
		return lists.Map(rules.Granted(account), func(route authz.PeerRoute) catalog.HTTPMatch { return route.Match })
	})
}

// comparePeerAccount compares the connections or requests of one account.
func (f *flows) comparePeerAccount(id portID, account identity.PeerAccount, before, after peerRules) {
	evaluate := func(s sample) (reply, reply) {
		return replyToPeer(f.before.view, id, account, s), replyToPeer(f.after.view, id, account, s)
	}
	add := func(before, after reply, request, example string) {
		flow := outsideFlow(account.String(), id.String(), request, example, before, after)
		flow.By = lists.Map(flow.By, func(policy string) string { return "TrafficTarget " + policy })
		f.list = append(f.list, flow)
	}
	matches := slices.Concat(before.matches(account), after.matches(account))
	if len(matches) == 0 {
		if before, after := evaluate(sample{}); before.access != after.access {
			add(before, after, "connections", "")
		}
		return
	}
	requestComparison{
		flows: f, to: id.String(), evaluate: evaluate,
		add: func(before, after reply, request, example string, _ catalog.HTTPMatch) {
			add(before, after, request, example)
		},
	}.compare(withoutDuplicates(matches))
}

func replyToPeer(v *catalog.View, id portID, account identity.PeerAccount, s sample) reply {
	host := fmt.Sprintf("%s.%s:%d", id.service.Name, id.service.Namespace, id.port)
	headers := append([]authz.Header{{Name: ":authority", Value: host}}, s.headers...)
	r := authz.Request{Service: id.service, Port: id.port, Method: s.method, Path: s.path, Headers: headers}
	return replyOf(authz.DecidePeer(v, account, r))
}

// imported is a Service of a peer among the destinations of a port. It may stand in for one with pods.
type imported struct {
	service entity.Name
	of      *authz.Imported
}

// importFor is a Service of a peer among the destinations of a port, for one client.
type importFor struct {
	service entity.Name
	peer    string
	ready   bool
	share   uint32
}

// importsFor returns the Services of peers that admit a client. The peers decide about single requests.
func (p *servicePort) importsFor(source identity.ServiceAccount) []importFor {
	if p == nil {
		return nil
	}
	var list []importFor
	for _, i := range p.imports {
		if slices.Contains(i.of.Clients, source) {
			list = append(list, importFor{i.service, i.of.Peer, i.of.Ready, i.of.Share})
		}
	}
	return list
}

// admitted returns the clients that peers admit to some Service among the destinations.
func (p *servicePort) admitted() []identity.ServiceAccount {
	return lists.FlatMap(p.imports, func(i imported) []identity.ServiceAccount { return i.of.Clients })
}

// importsOf describes the imports that allow a flow.
func importsOf(list []importFor) []string {
	return lists.Map(list, func(i importFor) string { return "ServiceImport " + i.service.String() + " from " + i.peer })
}
