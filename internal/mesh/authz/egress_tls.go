package authz

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// limitHosts removes the hosts for TLS if they have too many routes: sidecars need one for each host in each range.
func (b *egressBuilder) limitHosts(policies []*catalog.Egress) {
	hosts := 0
	for _, host := range b.port.Hosts {
		if host.TLS {
			hosts++
		}
	}
	if b.limit.Admit(policies[0].Name.Namespace, hosts*len(b.port.Ranges)) {
		return
	}
	b.recordTLS(policies, func(policy *catalog.Egress) bool { return len(policy.Prefixes) == 0 })
	for i := range b.port.Hosts {
		b.port.Hosts[i].TLS = false
	}
	b.port.Hosts = slices.DeleteFunc(b.port.Hosts, func(h EgressHost) bool { return !h.HTTP })
}

// limitServerNames removes the server names of ranges if they have too many routes: sidecars need one for each name in each range within its own.
func (b *egressBuilder) limitServerNames(policies []*catalog.Egress) {
	if b.limit.Admit(policies[0].Name.Namespace, inheritedNames(b.port.Ranges)) {
		return
	}
	b.recordTLS(policies, func(policy *catalog.Egress) bool { return len(policy.Prefixes) > 0 && len(policy.Hosts) > 0 })
	for i := range b.port.Ranges {
		b.port.Ranges[i].ServerNames = nil
	}
}

// recordTLS records the policies with a property that are about TLS on the port.
func (b *egressBuilder) recordTLS(policies []*catalog.Egress, matches func(*catalog.Egress) bool) {
	for _, policy := range policies {
		if policy.HasPort(b.port.Number, catalog.ProtocolHTTPS) && matches(policy) {
			b.limit.Record(policy.Ref())
		}
	}
}

// inheritedNames counts the server names that sorted ranges have from the ranges around them.
func inheritedNames(ranges []EgressRange) int {
	type outer struct {
		prefix netip.Prefix
		// names are the server names of the range and of those around it.
		names int
		// any is true if one of these ranges allows every connection. Names need no routes there.
		any bool
	}
	total := 0
	around := []outer{{}} // the addresses outside all ranges
	for _, r := range ranges {
		for len(around) > 1 && !around[len(around)-1].prefix.Contains(r.Prefix.Addr()) {
			around = around[:len(around)-1]
		}
		next := around[len(around)-1]
		next.prefix, next.any = r.Prefix, next.any || r.Any
		if !next.any {
			total += next.names
			next.names += len(r.ServerNames)
		}
		around = append(around, next)
	}
	return total
}
