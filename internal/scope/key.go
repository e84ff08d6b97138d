package scope

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// KeyFor returns the scope key of a pod's sidecar.
func KeyFor(v *catalog.View, pod *catalog.Pod) Key {
	return Key{
		Identity: pod.Identity(),
		Services: joinNames(v.ServicesOfPod(pod)),
		Class: Class{
			Revision: pod.Revision,
			IPv6:     slices.ContainsFunc(pod.IPs, netip.Addr.Is6),
			Metrics:  pod.Metrics,
		},
	}
}

func joinNames[T interface{ String() string }](list []T) string {
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = item.String()
	}
	return strings.Join(parts, ",")
}

// parseNames is the inverse of joinNames.
func parseNames(list string) []catalog.Name {
	if list == "" {
		return nil
	}
	var result []catalog.Name
	for part := range strings.SplitSeq(list, ",") {
		namespace, name, _ := strings.Cut(part, "/")
		result = append(result, catalog.Name{Namespace: namespace, Name: name})
	}
	return result
}

func parseAccounts(list string) []identity.ServiceAccount {
	var result []identity.ServiceAccount
	for _, name := range parseNames(list) {
		result = append(result, identity.ServiceAccount(name))
	}
	return result
}
