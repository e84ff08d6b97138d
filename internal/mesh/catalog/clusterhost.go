package catalog

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// systemNamespace has the parts of Kubernetes itself.
const systemNamespace = "kube-system"

// IsProtectedHost reports whether a host may be a Service or a pod of the mesh's own namespace, or of kube-system. The egress gateway is inside the
// namespace of the mesh: it would pass the NetworkPolicies that keep tenants out.
func IsProtectedHost(host, meshNamespace string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	host, complete := strings.CutSuffix(host, "."+names.DefaultClusterDomain)
	labels := strings.Split(host, ".")
	kind := len(labels) - 1
	isProtected := func(namespace string) bool { return namespace == meshNamespace || namespace == systemNamespace }
	switch {
	case kind == 0 && !complete:
		return true // the search list completes it with the namespace of the gateway
	case kind >= 1 && slices.Contains([]string{"svc", "pod"}, labels[kind]):
		return isProtected(labels[kind-1])
	default:
		return kind == 1 && isProtected(labels[kind])
	}
}
