package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

const (
	// MaxClientChains is for how many client accounts a TCP port has filter chains of their own. Each needs about 110 kB in the sidecar.
	MaxClientChains = 64
	// MaxPodClientChains is how many such chains all ports of a sidecar have. Ports beyond it have none.
	MaxPodClientChains = 4 * MaxClientChains
	// MaxClientName bounds the name of a service account with a filter chain. Names of application protocols have at most 255 bytes, and that of a
	// chain has the namespace too.
	MaxClientName = 180
)

// ClientChains returns the accounts whose connections to a TCP port have a filter chain of their own, sorted. Revoking one of them ends the
// connections of no other. The rest share a chain.
func (in *Inbound) ClientChains() []identity.ServiceAccount {
	if in.Protocol.IsHTTP() || in.Rules.Permissive {
		return nil
	}
	var clients []identity.ServiceAccount
	for _, rule := range in.Rules.Network {
		for _, client := range rule.Sources {
			if len(client.Name) <= MaxClientName {
				clients = append(clients, client)
			}
		}
	}
	clients = lists.UniqueFunc(clients, identity.ServiceAccount.Compare)
	return clients[:min(len(clients), MaxClientChains)]
}
