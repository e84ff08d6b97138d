package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// EgressConflict is something that an Egress says and another one decides, for at least one of their common clients.
type EgressConflict struct {
	// Winner is the Egress that decides.
	Winner entity.Name
	Port   catalog.EgressPort
	// Host is the host that the other Egress decides about alone, because it sends requests through the egress gateway, or because of Encryption. It is
	// empty if the protocols of the port exclude each other.
	Host string
	// Encryption is the BackendTLSPolicy of the other Egress that prevents requests to Host; empty for other conflicts.
	Encryption entity.Name
	// Unusable is true if Encryption cannot be used. Otherwise the Egress sends requests through the egress gateway, which does not apply Encryption.
	Unusable bool
	// Setting is true if the other Egress only decides about the limits of connections: to Host, or on the whole port.
	Setting bool
}

// EgressConflicts returns what other Egresses decide instead of an Egress, in the order of its ports and hosts. They are computed as for EgressPorts.
func EgressConflicts(v *catalog.View, policy *catalog.Egress) []EgressConflict {
	var found []EgressConflict
	for _, source := range policy.Sources {
		for _, conflict := range egressConflictsOf(v, policy, source) {
			if !slices.Contains(found, conflict) {
				found = append(found, conflict)
			}
		}
	}
	return found
}

func egressConflictsOf(v *catalog.View, policy *catalog.Egress, source identity.ServiceAccount) []EgressConflict {
	policies := v.EgressesFrom(source)
	mine := v.InForce(policy)
	var found []EgressConflict
	for _, port := range mine.Ports {
		decider, serverFirst := speaksFirst(policies, port.Number)
		excluded := port.Protocol == inventory.ProtocolTCPServerFirst && !serverFirst ||
			(port.Protocol == inventory.ProtocolHTTP || port.Protocol == catalog.ProtocolHTTPS) && serverFirst
		switch {
		case excluded && decider.Name != mine.Name:
			found = append(found, EgressConflict{Winner: decider.Name, Port: port})
		case excluded: // by another protocol of the same Egress
		case port.Protocol == inventory.ProtocolHTTP:
			found = append(found, requestConflicts(v, policies, mine, port)...)
		}
		if !excluded && mine.Setting != "" {
			found = append(found, otherSettings(policies, mine, port, serverFirst)...)
		}
	}
	return found
}

// requestConflicts returns the hosts of a port whose requests another Egress decides about alone, or prevents.
func requestConflicts(v *catalog.View, policies []*catalog.Egress, mine *catalog.Egress, port catalog.EgressPort) []EgressConflict {
	var found []EgressConflict
	for _, host := range mine.Hosts {
		if isWildcard(host) {
			continue
		}
		if winner := gatewayPolicy(policies, port.Number, host); winner != nil && winner.Name != mine.Name {
			found = append(found, EgressConflict{Winner: winner.Name, Port: port, Host: host})
			continue
		}
		winner, encryption := encryptingPolicy(v, policies, port.Number, host)
		if winner == nil || winner.Name == mine.Name || isEncryptedBy(v, mine, encryption) {
			continue
		}
		unusable := backendTLS(v, encryption).Unusable
		if unusable || mine.Gateway != nil {
			found = append(found, EgressConflict{Winner: winner.Name, Port: port, Host: host, Encryption: encryption.Name, Unusable: unusable})
		}
	}
	return found
}

// encryptingPolicy returns the BackendTLSPolicy that applies to the requests to a host, and the first of some Egresses that has it; nil without one.
func encryptingPolicy(v *catalog.View, policies []*catalog.Egress, number uint16, host string) (winner *catalog.Egress, oldest *catalog.BackendTLSPolicy) {
	for _, p := range policies {
		if !p.HasPort(number, inventory.ProtocolHTTP) || !slices.Contains(p.Hosts, host) {
			continue
		}
		if encryption := v.BackendTLSOf(p); encryption != nil && (oldest == nil || encryption.Precedes(oldest)) {
			winner, oldest = p, encryption
		}
	}
	return winner, oldest
}

// isEncryptedBy reports whether a BackendTLSPolicy is that of an Egress: its own status then says what is wrong.
func isEncryptedBy(v *catalog.View, policy *catalog.Egress, encryption *catalog.BackendTLSPolicy) bool {
	own := v.BackendTLSOf(policy)
	return own != nil && own.Name == encryption.Name
}

// gatewayPolicy returns the first of some Egresses that sends requests to a host through the egress gateway, or nil.
func gatewayPolicy(policies []*catalog.Egress, number uint16, host string) *catalog.Egress {
	at := slices.IndexFunc(policies, func(p *catalog.Egress) bool {
		return p.Gateway != nil && p.HasPort(number, inventory.ProtocolHTTP) && slices.Contains(p.Hosts, host)
	})
	if at < 0 {
		return nil
	}
	return policies[at]
}

// otherSettings returns where another Egress limits the connections on a port of an Egress: the first one with an UpstreamTrafficSetting does, for each host,
// and for the ranges of the whole port.
func otherSettings(policies []*catalog.Egress, mine *catalog.Egress, port catalog.EgressPort, serverFirst bool) []EgressConflict {
	var found []EgressConflict
	add := func(host string, applies func(*catalog.Egress) bool) {
		at := slices.IndexFunc(policies, func(p *catalog.Egress) bool { return p.Setting != "" && applies(p) })
		if at >= 0 && applies(mine) && policies[at].Setting != mine.Setting {
			found = append(found, EgressConflict{Winner: policies[at].Name, Port: port, Host: host, Setting: true})
		}
	}
	add("", func(p *catalog.Egress) bool { return usesRanges(p, port.Number, serverFirst) })
	for _, host := range mine.Hosts {
		add(host, func(p *catalog.Egress) bool { return !serverFirst && usesHost(p, port.Number, host) })
	}
	return found
}

// usesRanges reports whether an Egress allows ranges of addresses on a port.
func usesRanges(p *catalog.Egress, number uint16, serverFirst bool) bool {
	return p.HasPort(number, inventory.ProtocolTCP) || serverFirst && p.HasPort(number, inventory.ProtocolTCPServerFirst) ||
		!serverFirst && p.HasPort(number, catalog.ProtocolHTTPS) && len(p.Prefixes) > 0
}

// usesHost reports whether an Egress allows a host by its name on a port.
func usesHost(p *catalog.Egress, number uint16, host string) bool {
	byTLS := p.HasPort(number, catalog.ProtocolHTTPS) && len(p.Prefixes) == 0 && !isAddress(host)
	return slices.Contains(p.Hosts, host) && !isWildcard(host) && (byTLS || p.HasPort(number, inventory.ProtocolHTTP))
}
