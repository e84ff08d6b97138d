package ingest

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Egress reads an Egress (policy.openservicemesh.io/v1alpha1). It skips invalid sources, hosts, ranges and ports. There is no entry
// without a usable source and port. An invalid part never opens more than the valid ones.
func Egress(u *unstructured.Unstructured) (*catalog.Egress, []Problem) {
	spec, found, ok := DecodeObject[policyv1alpha1.EgressSpec](u)
	if !ok {
		return nil, found
	}
	policy := &catalog.Egress{Name: NameOf(u), Created: u.GetCreationTimestamp().UTC()}
	policy.Sources = egressSources(spec.Sources, u.GetNamespace(), &found)
	policy.Hosts = egressHosts(spec.Hosts, len(spec.IPAddresses) > 0, &found)
	policy.Prefixes = egressPrefixes(spec.IPAddresses, &found)
	ports := egressPorts(spec.Ports, &found)
	egressMatches(spec.Matches, policy, &found)
	ports = egressGateway(&spec, policy, ports, &found)
	invalidRanges := len(spec.IPAddresses) > 0 && len(policy.Prefixes) == 0
	for _, port := range ports {
		if hasDestination(policy, port, invalidRanges, &found) {
			policy.Ports = append(policy.Ports, port)
		}
	}
	warnUnusedHosts(policy, &found)
	warnUnusedRanges(policy, &found)
	warnUnusedTLS(policy, &found)
	if len(spec.Sources) == 0 {
		found.Reject(ReasonGrantsNothing, "spec.sources is empty, so this Egress allows nothing: name the service accounts of the clients.")
	}
	if len(spec.Ports) == 0 {
		found.Reject(ReasonGrantsNothing, "spec.ports is empty, so this Egress allows nothing: write the port and the protocol of the destination.")
	}
	if len(policy.Sources) == 0 || len(policy.Ports) == 0 {
		return nil, found
	}
	return policy, found
}

// egressSources reads the clients, sorted. A namespace decides about its own clients only.
func egressSources(items []policyv1alpha1.EgressSourceSpec, namespace string, found *Problems) []identity.ServiceAccount {
	var sources []identity.ServiceAccount
	for i, item := range items {
		path := Indexed("spec.sources", i)
		source, ok := ServiceAccountOf(path, accessv1alpha3.IdentityBindingSubject(item), "", found)
		switch {
		case !ok:
		case source.Namespace != namespace:
			found.Reject(ReasonForeignNamespace, "%s.namespace is %q, but this Egress is in the namespace %q, so the source is left out: "+
				"create an Egress in the namespace of the client. Only that namespace decides what its clients may call.", path, source.Namespace, namespace)
		default:
			sources = append(sources, source)
		}
	}
	return lists.UniqueFunc(sources, identity.ServiceAccount.Compare)
}

// egressPrefixes reads the address ranges, sorted.
func egressPrefixes(items []string, found *Problems) []netip.Prefix {
	var prefixes []netip.Prefix
	for i, text := range items {
		if prefix, ok := AddressRange(Indexed("spec.ipAddresses", i), text, found); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	return lists.UniqueFunc(prefixes, netip.Prefix.Compare)
}

// egressPorts reads the ports, sorted by number and protocol. Sidecars wait for the first bytes of a client on ports with HTTP or TLS,
// so tcp-server-first excludes them.
func egressPorts(items []policyv1alpha1.EgressPortSpec, found *Problems) []catalog.EgressPort {
	protocols := []inventory.Protocol{inventory.ProtocolHTTP, catalog.ProtocolHTTPS, inventory.ProtocolTCP, inventory.ProtocolTCPServerFirst}
	var ports []catalog.EgressPort
	serverFirst := map[uint16]bool{}
	for i, item := range items {
		path, number, protocol := Indexed("spec.ports", i), item.Number, inventory.Protocol(strings.ToLower(item.Protocol))
		switch {
		case number < 1 || number > 65535:
			found.Reject(ReasonInvalidPort, "%s.number is %d, so it is left out: write a port from 1 to 65535.", path, number)
		case names.IsReservedPort(uint16(number)):
			found.Reject(ReasonInvalidPort, "%s.number %d belongs to sidecars, so it is left out: the destination needs another port.", path, number)
		case !slices.Contains(protocols, protocol):
			found.Reject(ReasonUnknownProtocol, "%s.protocol is %.40q, so it is left out: use http, https, tcp or tcp-server-first.", path, protocol)
		default:
			ports = append(ports, catalog.EgressPort{Number: uint16(number), Protocol: protocol})
			serverFirst[uint16(number)] = serverFirst[uint16(number)] || protocol == inventory.ProtocolTCPServerFirst
		}
	}
	ports = slices.DeleteFunc(ports, func(p catalog.EgressPort) bool {
		inspected := p.Protocol == inventory.ProtocolHTTP || p.Protocol == catalog.ProtocolHTTPS
		if inspected && serverFirst[p.Number] {
			found.Reject(ReasonDuplicateMatch, "spec.ports has the port %d with the protocols %s and tcp-server-first, which exclude each other, so %s is left out.", p.Number, p.Protocol, p.Protocol)
		}
		return inspected && serverFirst[p.Number]
	})
	slices.SortFunc(ports, func(a, b catalog.EgressPort) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(ports)
}

// hasDestination reports whether a port has a destination.
func hasDestination(policy *catalog.Egress, port catalog.EgressPort, invalidRanges bool, found *Problems) bool {
	switch {
	case port.Protocol != inventory.ProtocolHTTP && invalidRanges:
		return false // the problem is known already
	case port.Protocol == inventory.ProtocolHTTP && policy.Restricted && len(policy.RouteGroups) == 0:
		return false
	case port.Protocol == inventory.ProtocolHTTP && !slices.ContainsFunc(policy.Hosts, isResolvable):
		found.Reject(ReasonGrantsNothing, "Port %d has the protocol http, and spec.hosts names no host, so it is left out: name the hosts that clients may call.", port.Number)
	case port.Protocol == catalog.ProtocolHTTPS && len(policy.Prefixes) == 0 && !slices.ContainsFunc(policy.Hosts, isServerName):
		found.Reject(ReasonGrantsNothing, "Port %d has the protocol https, and there are neither spec.hosts nor spec.ipAddresses, so it is left out: name the hosts that clients may call.", port.Number)
	default:
		return true
	}
	return false
}

// warnUnusedHosts warns about hosts that restrict nothing.
func warnUnusedHosts(policy *catalog.Egress, found *Problems) {
	bytesOnly := !slices.ContainsFunc(policy.Ports, func(p catalog.EgressPort) bool {
		return p.Protocol == inventory.ProtocolHTTP || p.Protocol == catalog.ProtocolHTTPS
	})
	if len(policy.Hosts) > 0 && len(policy.Ports) > 0 && bytesOnly {
		found.Warn(ReasonNotUsed, "spec.hosts has no effect on ports with the protocol tcp: restrict them with spec.ipAddresses, or use https or http.")
	}
}

// warnUnusedRanges warns about address ranges that no port uses, and about the protocol of the other usual port.
func warnUnusedRanges(policy *catalog.Egress, found *Problems) {
	has := func(matches func(catalog.EgressPort) bool) bool { return slices.ContainsFunc(policy.Ports, matches) }
	if len(policy.Prefixes) > 0 && len(policy.Ports) > 0 && !has(func(p catalog.EgressPort) bool { return p.Protocol != inventory.ProtocolHTTP }) {
		found.Warn(ReasonNotUsed, "spec.ipAddresses has no effect on ports with the protocol http, whose requests go to spec.hosts: name these addresses in spec.hosts, or use https or tcp.")
	}
	if port := (catalog.EgressPort{Number: 443, Protocol: inventory.ProtocolHTTP}); slices.Contains(policy.Ports, port) && policy.Gateway == nil {
		found.Warn(ReasonUnknownProtocol, "Port 443 has the protocol http, and clients of https cannot use it: write https, unless clients send plaintext to this port.")
	}
	if slices.Contains(policy.Ports, catalog.EgressPort{Number: 80, Protocol: catalog.ProtocolHTTPS}) {
		found.Warn(ReasonUnknownProtocol, "Port 80 has the protocol https, and clients of http cannot use it: write http, unless clients use TLS on this port.")
	}
}

// egressHosts reads the hosts, in lower case and sorted. A wildcard has no address of its own: it selects server names within
// ipAddresses only.
func egressHosts(items []string, hasRanges bool, found *Problems) []string {
	var hosts []string
	for i, text := range items {
		path := Indexed("spec.hosts", i)
		host := strings.ToLower(strings.TrimSuffix(text, "."))
		if address, err := netip.ParseAddr(host); err == nil && address.Zone() == "" {
			hosts = append(hosts, address.Unmap().String())
			continue
		}
		name, wildcard := strings.CutPrefix(host, "*.")
		switch {
		case !isHostName(name):
			found.Reject(ReasonInvalidName, "%s %.80q is not a DNS name or an IP address, so it is left out: write for example api.example.com. Ports belong to spec.ports.", path, text)
		case wildcard && !hasRanges:
			found.Reject(ReasonUnsupported, "%s %.80q is a wildcard, which no sidecar can resolve, so it is left out: name each host, or write the addresses of a port with the protocol https in spec.ipAddresses.", path, text)
		default:
			hosts = append(hosts, host)
		}
	}
	return lists.Unique(hosts)
}

// isResolvable reports whether a host leads to addresses.
func isResolvable(host string) bool { return !strings.HasPrefix(host, "*.") }

// isServerName reports whether TLS clients can request a host. An IP address is no server name.
func isServerName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil
}

// egressMatches reads the HTTPRouteGroups and the UpstreamTrafficSetting of an Egress.
func egressMatches(items []policyv1alpha1.EgressMatchSpec, policy *catalog.Egress, found *Problems) {
	for i, item := range items {
		path, kind, name := Indexed("spec.matches", i), item.Kind, item.Name
		group, _, _ := strings.Cut(ptr.Deref(item.APIGroup, ""), "/")
		isGroup := kind == string(entity.KindHTTPRouteGroup) && (group == "" || group == "specs.smi-spec.io")
		isSetting := kind == string(entity.KindUpstreamTrafficSetting) && (group == "" || group == catalog.PolicyGroup)
		policy.Restricted = policy.Restricted || !isSetting
		switch {
		case !isGroup && !isSetting:
			found.Reject(ReasonUnsupported, "%s refers to %.40q of the group %.60q, so it allows nothing: use an HTTPRouteGroup of specs.smi-spec.io or an UpstreamTrafficSetting of policy.openservicemesh.io.", path, kind, group)
		case len(validation.IsDNS1123Subdomain(name)) > 0:
			found.Reject(ReasonInvalidName, "%s.name %.80q is not the name of an object, so it is left out.", path, name)
		case isGroup:
			policy.RouteGroups = append(policy.RouteGroups, name)
		case policy.Setting != "" && policy.Setting != name:
			found.Reject(ReasonDuplicateMatch, "%s names a second UpstreamTrafficSetting, so it is left out: only %s applies.", path, policy.Setting)
		default:
			policy.Setting = name
		}
	}
	policy.RouteGroups = lists.Unique(policy.RouteGroups)
}

// defaultTLSPort is the default of spec.gateway.tls.port.
const defaultTLSPort = 443

// egressGateway reads how the egress gateway forwards what an Egress allows, and returns the ports that it can forward. It looks up hosts
// itself, so it cannot forward to the address that a client chose. Without a usable configuration of TLS, no port remains: what should be
// encrypted is never sent as it is.
func egressGateway(spec *policyv1alpha1.EgressSpec, policy *catalog.Egress, ports []catalog.EgressPort, found *Problems) []catalog.EgressPort {
	if spec.Gateway == nil {
		return ports
	}
	policy.Gateway = &catalog.EgressGateway{}
	if spec.Gateway.TLS != nil {
		if policy.Gateway.TLS = egressTLS(spec.Gateway.TLS, found); policy.Gateway.TLS == nil {
			return nil
		}
	}
	policy.Hosts = slices.DeleteFunc(policy.Hosts, func(host string) bool { return isLocalHost(host, found) })
	if len(spec.IPAddresses) > 0 {
		found.Reject(ReasonUnsupported, "spec.ipAddresses has addresses that clients choose, and the egress gateway looks up spec.hosts instead, so this Egress allows nothing: remove spec.ipAddresses or spec.gateway.")
		return nil
	}
	return slices.DeleteFunc(ports, func(port catalog.EgressPort) bool {
		unsupported := port.Protocol != inventory.ProtocolHTTP && port.Protocol != catalog.ProtocolHTTPS
		if unsupported {
			found.Reject(ReasonUnsupported, "Port %d has the protocol %s, which has no hosts for the egress gateway to look up, so it is left out: use http or https, or an Egress without spec.gateway.", port.Number, port.Protocol)
		}
		return unsupported
	})
}

// egressTLS reads how the egress gateway encrypts requests; nil if it cannot.
func egressTLS(spec *policyv1alpha1.EgressTLSSpec, found *Problems) *catalog.EgressTLS {
	tls := &catalog.EgressTLS{Port: defaultTLSPort, Secret: spec.SecretName}
	if spec.Port != nil {
		number := *spec.Port
		if number < 1 || number > 65535 || names.IsReservedPort(uint16(number)) {
			found.Reject(ReasonInvalidPort, "spec.gateway.tls.port is %d, so this Egress allows nothing: write a port from 1 to 65535 that does not belong to sidecars.", number)
			return nil
		}
		tls.Port = uint16(number)
	}
	if len(validation.IsDNS1123Subdomain(tls.Secret)) > 0 {
		found.Reject(ReasonInvalidName, "spec.gateway.tls.secretName %.80q is not the name of an object, so this Egress allows nothing: name a Secret with the key ca.crt.", tls.Secret)
		return nil
	}
	return tls
}

// isLocalHost is catalog.IsLocalHost, and reports the host.
func isLocalHost(host string, found *Problems) bool {
	local := catalog.IsLocalHost(host)
	if local {
		found.Reject(ReasonRejectedAddress, "The host %s of spec.hosts is local to the pod or the node of the egress gateway, so it is left out: name a host outside.", host)
	}
	return local
}

// RequiredGateway returns what an Egress loses because its namespace requires the egress gateway.
func RequiredGateway(policy *catalog.Egress) []Problem {
	var found Problems
	left := policy.ThroughGateway()
	const because = "The namespace %s requires the egress gateway, "
	for _, host := range policy.Hosts {
		if !slices.Contains(left.Hosts, host) {
			found.Reject(ReasonRejectedAddress, because+"and the host %s of spec.hosts is local to its pod or node, so it is left out: name a host outside.", policy.Name.Namespace, host)
		}
	}
	if len(policy.Prefixes) > 0 {
		found.Reject(ReasonUnsupported, because+"which looks up hosts instead of using spec.ipAddresses, so this Egress allows nothing: use spec.hosts only.", policy.Name.Namespace)
		return found
	}
	for _, port := range policy.Ports {
		if !slices.Contains(left.Ports, port) {
			found.Reject(ReasonUnsupported, because+"which has no hosts to look up for the protocol %s of port %d, so the port is left out: use http or https.", policy.Name.Namespace, port.Protocol, port.Number)
		}
	}
	return found
}

// warnUnusedTLS warns about a configuration of TLS that encrypts nothing.
func warnUnusedTLS(policy *catalog.Egress, found *Problems) {
	hasHTTP := slices.ContainsFunc(policy.Ports, func(p catalog.EgressPort) bool { return p.Protocol == inventory.ProtocolHTTP })
	if policy.Gateway != nil && policy.Gateway.TLS != nil && !hasHTTP && len(policy.Ports) > 0 {
		found.Warn(ReasonNotUsed, "spec.gateway.tls has no effect on ports with the protocol https, whose clients encrypt themselves: use the protocol http, or remove it.")
	}
}
