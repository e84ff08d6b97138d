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
)

// ProtocolHTTPS is TLS of the application to a destination outside the mesh. Only an Egress has it.
const ProtocolHTTPS inventory.Protocol = "https"

// Egress allows workloads of its namespace to call destinations outside the mesh (policy.openservicemesh.io). It requires
// Settings.EgressPolicies.
type Egress struct {
	Name    entity.Name
	Created time.Time
	// Sources are the clients, in the namespace of the Egress, sorted.
	Sources []identity.ServiceAccount
	// Hosts are the names and addresses for HTTP ports, and the server names for HTTPS ports, lower case and sorted.
	Hosts []string
	// Prefixes restrict the addresses on HTTPS and TCP ports, sorted. On TCP ports, none means every address.
	Prefixes []netip.Prefix
	// Ports are sorted by number, then protocol.
	Ports []EgressPort
	// Restricted is true if only requests that match one of RouteGroups are allowed on HTTP ports.
	Restricted bool
	// RouteGroups are HTTPRouteGroups of the namespace, sorted.
	RouteGroups []string
	// Setting is the UpstreamTrafficSetting of the namespace that limits connections; empty for none.
	Setting string
	// Gateway sends requests and connections through the egress gateway; nil for none. Ports have the protocols http and https then, and
	// Prefixes is empty.
	Gateway *EgressGateway
}

// EgressPort is a port outside the mesh and its protocol.
type EgressPort struct {
	Number   uint16
	Protocol inventory.Protocol
}

// Ref implements Entry.
func (e *Egress) Ref() entity.Ref { return entity.KindEgress.Ref(e.Name) }

// Age implements Aged.
func (e *Egress) Age() time.Time { return e.Created }

// Deps implements Entry. Every Egress concerns the egress gateway, because its namespace may require it.
func (e *Egress) Deps(list []entity.Dep) []entity.Dep {
	list = append(list, lists.Map(e.Sources, func(source identity.ServiceAccount) entity.Dep { return entity.DepEgressesFrom.Of(entity.Name(source)) })...)
	if e.Setting != "" {
		list = append(list, entity.DepSettingUsers.Of(entity.Name{Namespace: e.Name.Namespace, Name: e.Setting}))
	}
	return append(list, entity.Dep{Kind: entity.DepEgressGateway})
}

// HasPort reports whether the policy has a port with one of the protocols.
func (e *Egress) HasPort(number uint16, protocols ...inventory.Protocol) bool {
	first, _ := slices.BinarySearchFunc(e.Ports, number, func(p EgressPort, number uint16) int { return cmp.Compare(p.Number, number) })
	for _, port := range e.Ports[first:] {
		if port.Number != number {
			return false
		}
		if slices.Contains(protocols, port.Protocol) {
			return true
		}
	}
	return false
}

// EgressesFrom returns the Egresses of a client: the oldest first, then by name.
func (v *View) EgressesFrom(source identity.ServiceAccount) []*Egress {
	list := Find[*Egress](v, entity.KindEgress, entity.DepEgressesFrom.Of(entity.Name(source)))
	slices.SortStableFunc(list, func(a, b *Egress) int { return a.Created.Compare(b.Created) })
	return lists.Map(list, v.InForce)
}

// Egress returns an Egress as its author wrote it, or nil. It records no dependency.
func (v *View) Egress(name entity.Name) *Egress {
	policy, _ := get[*Egress](v.catalog, entity.KindEgress, name)
	return policy
}
