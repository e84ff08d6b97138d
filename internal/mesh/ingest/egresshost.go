package ingest

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// egressHosts reads the hosts, in lower case and sorted. A wildcard has no address of its own: it selects server names within
// ipAddresses only.
func egressHosts(items []string, hasRanges bool, found *problems) []string {
	var hosts []string
	for i, text := range items {
		path := indexed("spec.hosts", i)
		host := strings.ToLower(strings.TrimSuffix(text, "."))
		if address, err := netip.ParseAddr(host); err == nil && address.Zone() == "" {
			hosts = append(hosts, address.Unmap().String())
			continue
		}
		name, wildcard := strings.CutPrefix(host, "*.")
		switch {
		case !isHostName(name):
			found.reject(ReasonInvalidName, "%s %.80q is not a DNS name or an IP address, so it is left out: write for example api.example.com. Ports belong to spec.ports.", path, text)
		case wildcard && !hasRanges:
			found.reject(ReasonUnsupported, "%s %.80q is a wildcard, which no sidecar can resolve, so it is left out: name each host, or write the addresses of a port with the protocol https in spec.ipAddresses.", path, text)
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
func egressMatches(items []policyv1alpha1.EgressMatchSpec, policy *catalog.Egress, found *problems) {
	for i, item := range items {
		path, kind, name := indexed("spec.matches", i), item.Kind, item.Name
		group, _, _ := strings.Cut(ptr.Deref(item.APIGroup, ""), "/")
		isGroup := kind == string(catalog.KindHTTPRouteGroup) && (group == "" || group == "specs.smi-spec.io")
		isSetting := kind == string(catalog.KindUpstreamTrafficSetting) && (group == "" || group == "policy.openservicemesh.io")
		policy.Restricted = policy.Restricted || !isSetting
		switch {
		case !isGroup && !isSetting:
			found.reject(ReasonUnsupported, "%s refers to %.40q of the group %.60q, so it allows nothing: use an HTTPRouteGroup of specs.smi-spec.io or an UpstreamTrafficSetting of policy.openservicemesh.io.", path, kind, group)
		case len(validation.IsDNS1123Subdomain(name)) > 0:
			found.reject(ReasonInvalidName, "%s.name %.80q is not the name of an object, so it is left out.", path, name)
		case isGroup:
			policy.RouteGroups = append(policy.RouteGroups, name)
		case policy.Setting != "" && policy.Setting != name:
			found.reject(ReasonDuplicateMatch, "%s names a second UpstreamTrafficSetting, so it is left out: only %s applies.", path, policy.Setting)
		default:
			policy.Setting = name
		}
	}
	slices.Sort(policy.RouteGroups)
	policy.RouteGroups = slices.Compact(policy.RouteGroups)
}
