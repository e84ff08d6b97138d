package catalog

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// systemNamespace has the parts of Kubernetes itself.
const systemNamespace = "kube-system"

// ForwardedHosts decides to which hosts the egress gateway forwards. It is inside the cluster, in the namespace of the mesh: it would pass the NetworkPolicies
// that keep tenants out, and servers that trust the mesh would trust it.
type ForwardedHosts struct {
	// MeshNamespace has the mesh. No host of it is forwarded to.
	MeshNamespace string
	// Namespaces are those to whose Services and pods the gateway forwards.
	Namespaces []string
}

// Allows reports whether the gateway forwards to a host: one outside the cluster, or in one of the namespaces.
func (f ForwardedHosts) Allows(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	switch labels, complete := hostLabels(host); {
	case len(labels) == 1:
		return complete // the search list would complete it with the namespace of the gateway
	case isInCluster(labels):
		return f.allowsNamespace(labels[len(labels)-2])
	default:
		return len(labels) != 2 || !f.isProtected(labels[1])
	}
}

// IsInside reports whether an allowed host is in the cluster. All others are complete names, which the search list of the gateway must not lead into the
// cluster: shop.bank can be a Service, or a host of a domain.
func (f ForwardedHosts) IsInside(host string) bool {
	labels, complete := hostLabels(host)
	return isInCluster(labels) || len(labels) == 2 && !complete && f.allowsNamespace(labels[1])
}

func (f ForwardedHosts) allowsNamespace(namespace string) bool {
	return slices.Contains(f.Namespaces, namespace) && !f.isProtected(namespace)
}

func (f ForwardedHosts) isProtected(namespace string) bool {
	return namespace == f.MeshNamespace || namespace == systemNamespace
}

// hostLabels returns the labels of a host without the domain of the cluster, and whether it had that.
func hostLabels(host string) (labels []string, complete bool) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	host, complete = strings.CutSuffix(host, "."+names.DefaultClusterDomain)
	return strings.Split(host, "."), complete
}

// isInCluster reports whether the labels are those of a Service or a pod: <name>.<namespace>.svc.
func isInCluster(labels []string) bool {
	last := len(labels) - 1
	return last >= 1 && slices.Contains([]string{"svc", "pod"}, labels[last])
}
