package authz

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// EgressPort is a port outside the mesh on which a client may call some destinations.
type EgressPort struct {
	Number uint16
	// Hosts are the destinations by name, sorted. The sidecar resolves them, and ignores the address that the client chose. The list is
	// empty if Ranges allow every address.
	Hosts []EgressHost
	// Ranges are the destinations by the address that the client chose, sorted by prefix.
	Ranges []EgressRange
	// Setting is the UpstreamTrafficSetting of the client's namespace for connections to Ranges; empty for none.
	Setting string
}

// EgressHost is a host on an EgressPort.
type EgressHost struct {
	Host string
	// HTTP allows requests that name the host. With Restricted, they must match one of Matches.
	HTTP       bool
	Restricted bool
	Matches    []catalog.HTTPMatch
	// TLS allows TLS connections that request the host as their server name.
	TLS bool
	// HTTPGateway and TLSGateway are the Egresses by which the egress gateway forwards requests and TLS connections. If one is empty, the
	// sidecar connects to the host itself.
	HTTPGateway, TLSGateway entity.Name
	// BackendTLS is how the sidecar encrypts requests; nil if it does not.
	BackendTLS *BackendTLS
	// Setting is the UpstreamTrafficSetting of the client's namespace; empty for none.
	Setting string
	// Policies are the Egresses ("<namespace>/<name>") that allow the host, the oldest first.
	Policies []string
}

// EgressRange is a range of addresses on an EgressPort.
type EgressRange struct {
	Prefix netip.Prefix
	// Any allows every connection, AnyTLS every TLS connection. ServerNames allow TLS connections that request one of them, sorted. A
	// name may begin with "*.".
	Any         bool
	AnyTLS      bool
	ServerNames []string
	// Policies are the Egresses ("<namespace>/<name>") that allow the range, the oldest first.
	Policies []string
}

// allAddresses are the ranges of all addresses.
var allAddresses = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// EgressPorts returns the ports outside the mesh on which a client may call destinations, sorted. A request is allowed if any policy
// allows it. Destinations beyond MaxRoutes are left out.
func EgressPorts(v *catalog.View, source identity.ServiceAccount) []EgressPort {
	return EgressPortsWithin(v, source, &RouteLimit{})
}

// EgressPortsWithin is EgressPorts with a RouteLimit, which records the Egresses that are not complete.
func EgressPortsWithin(v *catalog.View, source identity.ServiceAccount, limit *RouteLimit) []EgressPort {
	if !v.Settings().EgressPolicies {
		return nil
	}
	policies := v.EgressesFrom(source)
	var numbers []uint16
	for _, policy := range policies {
		for _, port := range policy.Ports {
			numbers = append(numbers, port.Number)
		}
	}
	slices.Sort(numbers)
	var ports []EgressPort
	for _, number := range slices.Compact(numbers) {
		ports = append(ports, egressPort(v, policies, number, limit))
	}
	return ports
}

// speaksFirst returns the Egress that decides whether servers speak first on a port, or nil. Sidecars then cannot read the host of a connection, so http and
// https exclude tcp-server-first: the oldest policy with one of them decides.
func speaksFirst(policies []*catalog.Egress, number uint16) (decider *catalog.Egress, serverFirst bool) {
	for _, policy := range policies {
		if policy.HasPort(number, inventory.ProtocolTCPServerFirst) {
			return policy, true
		}
		if policy.HasPort(number, inventory.ProtocolHTTP, catalog.ProtocolHTTPS) {
			return policy, false
		}
	}
	return nil, false
}

func egressPort(v *catalog.View, policies []*catalog.Egress, number uint16, limit *RouteLimit) EgressPort {
	b := egressBuilder{view: v, limit: limit, port: EgressPort{Number: number}, hosts: map[string]int{}, ranges: map[netip.Prefix]int{}}
	_, serverFirst := speaksFirst(policies, number)
	for _, policy := range policies {
		if policy.HasPort(number, inventory.ProtocolTCP) || serverFirst && policy.HasPort(number, inventory.ProtocolTCPServerFirst) {
			b.addRanges(policy, 1, func(r *EgressRange) { r.Any = true })
		}
		if serverFirst {
			continue
		}
		if policy.HasPort(number, catalog.ProtocolHTTPS) {
			b.addTLS(policy)
		}
		if policy.HasPort(number, inventory.ProtocolHTTP) {
			b.addHTTP(policy)
		}
	}
	b.sort()
	b.addBackendTLS()
	b.limitHosts(policies)
	b.limitServerNames(policies)
	if b.port.allowsEverything() {
		b.port.Hosts = nil
	}
	return b.port
}

// egressBuilder collects the destinations on a port.
type egressBuilder struct {
	view  *catalog.View
	limit *RouteLimit
	port  EgressPort
	// hosts and ranges are the positions in port.
	hosts  map[string]int
	ranges map[netip.Prefix]int
	// encrypted has the policy by which requests to a host are encrypted.
	encrypted map[string]*catalog.BackendTLSPolicy
}

// addRanges allows something in the ranges of a policy, or at every address if it has none. Routes is how many routes it adds to each range.
func (b *egressBuilder) addRanges(policy *catalog.Egress, routes int, allow func(*EgressRange)) {
	prefixes := policy.Prefixes
	if len(prefixes) == 0 {
		prefixes = allAddresses
	}
	for _, prefix := range prefixes {
		if !b.limit.AdmitPolicy(policy.Ref(), routes) {
			continue
		}
		i, known := b.ranges[prefix]
		if !known {
			i = len(b.port.Ranges)
			b.ranges[prefix] = i
			b.port.Ranges = append(b.port.Ranges, EgressRange{Prefix: prefix})
		}
		allow(&b.port.Ranges[i])
		b.port.Ranges[i].Policies = appendPolicy(b.port.Ranges[i].Policies, policy.Name.String())
	}
	b.port.Setting = cmp.Or(b.port.Setting, policy.Setting)
}

// addTLS allows TLS connections. With ranges, the address that the client chose must be in one of them.
func (b *egressBuilder) addTLS(policy *catalog.Egress) {
	names := slices.DeleteFunc(slices.Clone(policy.Hosts), isAddress)
	if len(policy.Prefixes) == 0 {
		for _, name := range names {
			if !isWildcard(name) {
				host := b.host(policy, name)
				host.TLS = true
				if policy.Gateway != nil && host.TLSGateway == (entity.Name{}) {
					host.TLSGateway = policy.Name
				}
			}
		}
		return
	}
	b.addRanges(policy, 1+len(names), func(r *EgressRange) {
		r.AnyTLS = r.AnyTLS || len(policy.Hosts) == 0
		r.ServerNames = append(r.ServerNames, names...)
	})
}

// addHTTP allows requests. Of several policies for a host, the oldest with the egress gateway decides alone: the gateway knows which requests
// each policy allows, and a request that one of them sends through the gateway must not leave without it.
func (b *egressBuilder) addHTTP(policy *catalog.Egress) {
	matches, encryption := egressMatches(b.view, policy), b.view.BackendTLSOf(policy)
	for _, name := range policy.Hosts {
		if isWildcard(name) {
			continue
		}
		host := b.host(policy, name)
		b.encrypt(name, encryption)
		if host.HTTPGateway != (entity.Name{}) {
			continue
		}
		if policy.Gateway != nil {
			host.HTTPGateway, host.HTTP, host.Matches = policy.Name, false, nil
		}
		host.Restricted = policy.Restricted && (!host.HTTP || host.Restricted)
		host.HTTP = true
		switch {
		case !host.Restricted:
			host.Matches = nil
		case !b.limit.AdmitPolicy(policy.Ref(), egressRoutes(b.view, policy)):
		case len(host.Matches) == 0:
			host.Matches = slices.Clip(matches) // shared by all hosts and ports of the policy
		default:
			host.Matches = append(host.Matches, matches...)
		}
	}
}

type egressMatchesKey struct{ policy entity.Name }

// egressMatches are the requests to which an Egress is restricted. Nobody may change the list.
func egressMatches(v *catalog.View, policy *catalog.Egress) []catalog.HTTPMatch {
	return catalog.Memo(v, egressMatchesKey{policy.Name}, func() []catalog.HTTPMatch { return v.GroupMatches(policy.Name.Namespace, policy.RouteGroups) })
}

type egressRoutesKey struct{ policy entity.Name }

// egressRoutes returns as how many routes the requests count to which an Egress is restricted.
func egressRoutes(v *catalog.View, policy *catalog.Egress) int {
	return catalog.Memo(v, egressRoutesKey{policy.Name}, func() int { return RoutesOfMatches(egressMatches(v, policy)) })
}

// host returns the element of a host. Beyond the limit it returns one that nothing uses.
func (b *egressBuilder) host(policy *catalog.Egress, name string) *EgressHost {
	i, known := b.hosts[name]
	if !known {
		if !b.limit.AdmitPolicy(policy.Ref(), 1) {
			return &EgressHost{}
		}
		i = len(b.port.Hosts)
		b.hosts[name] = i
		b.port.Hosts = append(b.port.Hosts, EgressHost{Host: name})
	}
	host := &b.port.Hosts[i]
	host.Setting = cmp.Or(host.Setting, policy.Setting)
	host.Policies = appendPolicy(host.Policies, policy.Name.String())
	return host
}

// sort sorts the destinations. It removes server names that a range allows anyway.
func (b *egressBuilder) sort() {
	for i := range b.port.Ranges {
		r := &b.port.Ranges[i]
		r.ServerNames = lists.Unique(r.ServerNames)
		if r.Any || r.AnyTLS {
			r.ServerNames = nil
		}
	}
	slices.SortFunc(b.port.Hosts, func(x, y EgressHost) int { return cmp.Compare(x.Host, y.Host) })
	slices.SortFunc(b.port.Ranges, func(x, y EgressRange) int { return x.Prefix.Compare(y.Prefix) })
}

// allowsEverything reports whether every connection is allowed.
func (p EgressPort) allowsEverything() bool {
	return !slices.ContainsFunc(allAddresses, func(all netip.Prefix) bool {
		return !slices.ContainsFunc(p.Ranges, func(r EgressRange) bool { return r.Any && r.Prefix == all })
	})
}

func isWildcard(host string) bool { return strings.HasPrefix(host, "*.") }

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// appendPolicy adds a policy to those of a destination. Policies are evaluated one after the other, so only the last one may be there already.
func appendPolicy(list []string, policy string) []string {
	if len(list) > 0 && list[len(list)-1] == policy {
		return list
	}
	return append(list, policy)
}
