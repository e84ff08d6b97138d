package ingest

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// egressHosts reads the hosts, in lower case and sorted. A wildcard has no address of its own: it selects server names within
// ipAddresses only.
func egressHosts(spec object) []string {
	var hosts []string
	hasRanges := len(spec.list("ipAddresses")) > 0
	for i, item := range spec.list("hosts") {
		path := indexed(spec.child("hosts"), i)
		text, ok := item.(string)
		if !ok {
			spec.problems.malformed(path, item, "text")
			continue
		}
		host := strings.ToLower(strings.TrimSuffix(text, "."))
		if address, err := netip.ParseAddr(host); err == nil && address.Zone() == "" {
			hosts = append(hosts, address.Unmap().String())
			continue
		}
		name, wildcard := strings.CutPrefix(host, "*.")
		switch {
		case !isHostName(name):
			spec.problems.reject(ReasonInvalidName, "%s %.80q is not a DNS name or an IP address, so it is left out: write for example api.example.com. Ports belong to spec.ports.", path, text)
		case wildcard && !hasRanges:
			spec.problems.reject(ReasonUnsupported, "%s %.80q is a wildcard, which no sidecar can resolve, so it is left out: name each host, or write the addresses of a port with the protocol https in spec.ipAddresses.", path, text)
		default:
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// isResolvable reports whether a host leads to addresses.
func isResolvable(host string) bool { return !strings.HasPrefix(host, "*.") }

// isServerName reports whether TLS clients can request a host. An IP address is no server name.
func isServerName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil
}

// egressMatches reads the HTTPRouteGroups and the UpstreamTrafficSetting of an Egress.
func egressMatches(spec object, policy *catalog.Egress) {
	for _, item := range spec.objects("matches") {
		group, kind, name := item.text("apiGroup"), item.text("kind"), item.text("name")
		group, _, _ = strings.Cut(group, "/")
		isGroup := kind == string(catalog.KindHTTPRouteGroup) && (group == "" || group == "specs.smi-spec.io")
		isSetting := kind == string(catalog.KindUpstreamTrafficSetting) && (group == "" || group == "policy.openservicemesh.io")
		policy.Restricted = policy.Restricted || !isSetting
		switch {
		case !isGroup && !isSetting:
			item.problems.reject(ReasonUnsupported, "%s refers to %.40q of the group %.60q, so it allows nothing: use an HTTPRouteGroup of specs.smi-spec.io or an UpstreamTrafficSetting of policy.openservicemesh.io.", item.path, kind, group)
		case len(validation.IsDNS1123Subdomain(name)) > 0:
			item.problems.reject(ReasonInvalidName, "%s.name %.80q is not the name of an object, so it is left out.", item.path, name)
		case isGroup:
			policy.RouteGroups = append(policy.RouteGroups, name)
		case policy.Setting != "" && policy.Setting != name:
			item.problems.reject(ReasonDuplicateMatch, "%s names a second UpstreamTrafficSetting, so it is left out: only %s applies.", item.path, policy.Setting)
		default:
			policy.Setting = name
		}
	}
	slices.Sort(policy.RouteGroups)
	policy.RouteGroups = slices.Compact(policy.RouteGroups)
}
