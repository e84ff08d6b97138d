package ingest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// maxPrincipal is the maximum length of a name in a client certificate.
const maxPrincipal = 512

// sourceSet is the clients that an IngressBackend admits.
type sourceSet struct {
	gateways   []catalog.Name
	prefixes   []netip.Prefix
	principals []string
	// invalidAddress is true if there are Services or IPRanges, and all of them are invalid. Ignoring them would admit any address.
	invalidAddress bool
}

// ingressSources reads the sources. All lists are sorted.
func ingressSources(items []policyv1alpha1.IngressSourceSpec, found *problems) sourceSet {
	var set sourceSet
	addresses := 0
	for i, item := range items {
		path, kind, name := indexed("spec.sources", i), item.Kind, item.Name
		switch kind {
		case "Service":
			addresses++
			if gateway, ok := gatewayService(path, catalog.Name{Namespace: item.Namespace, Name: name}, found); ok {
				set.gateways = append(set.gateways, gateway)
			}
		case "IPRange":
			addresses++
			if prefix, ok := parseRange(path+".name", name, found); ok {
				set.prefixes = append(set.prefixes, prefix)
			}
		case "AuthenticatedPrincipal":
			if name == "" || len(name) > maxPrincipal || strings.ContainsFunc(name, isSpaceOrControl) {
				found.reject(ReasonInvalidName, "%s.name %.80q is not a name in a certificate, so it is left out: write the DNS or URI name of the ingress controller.", path, name)
			} else {
				set.principals = append(set.principals, name)
			}
		default:
			found.reject(ReasonUnsupported, "%s has the kind %.40q, so it is left out: use Service, IPRange or AuthenticatedPrincipal.", path, kind)
		}
	}
	set.invalidAddress = addresses > 0 && len(set.gateways)+len(set.prefixes) == 0
	slices.SortFunc(set.gateways, catalog.Name.Compare)
	slices.SortFunc(set.prefixes, netip.Prefix.Compare)
	slices.Sort(set.principals)
	set.gateways, set.prefixes, set.principals = slices.Compact(set.gateways), slices.Compact(set.prefixes), slices.Compact(set.principals)
	return set
}

func gatewayService(path string, gateway catalog.Name, found *problems) (catalog.Name, bool) {
	if len(validation.IsDNS1123Label(gateway.Namespace)) > 0 || len(validation.IsDNS1123Label(gateway.Name)) > 0 {
		found.reject(ReasonInvalidName, "%s names the Service %.80q of the namespace %.80q, so it is left out: write the name and the namespace of the ingress controller's Service.",
			path, gateway.Name, gateway.Namespace)
		return catalog.Name{}, false
	}
	return gateway, true
}

// parseRange parses a range in CIDR notation. A single address is a range of one.
func parseRange(path, text string, found *problems) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, addressErr := netip.ParseAddr(text)
		if addressErr != nil || address.Zone() != "" {
			found.reject(ReasonRejectedAddress, "%s %.80q is not an IP range, so it is left out: write for example 10.0.0.0/8.", path, text)
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() {
		found.reject(ReasonRejectedAddress, "%s %.80q is an IPv4 range in IPv6 notation, so it is left out: write it in IPv4 notation.", path, text)
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}

func isSpaceOrControl(r rune) bool { return r <= ' ' || r == 0x7f }

// indexed is the path of an item of a list.
func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
