package ingest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Namespace reads whether a namespace belongs to a mesh, by its labels, its override of permissive mode, and whether it requires the egress
// gateway. An invalid override is ignored. Another invalid annotation requires the gateway, because somebody wrote it to restrict traffic.
func Namespace(ns *corev1.Namespace, mesh string) (*catalog.Namespace, []Problem) {
	var found problems
	_, ignored := ns.Labels[names.IgnoreLabel]
	entry := &catalog.Namespace{Name: ns.Name, Monitored: !ignored && mesh != "" && ns.Labels[names.MonitoredByLabel] == mesh}
	switch value, exists := ns.Annotations[names.PermissiveAnnotation]; strings.ToLower(value) {
	case "enabled", "yes", "true":
		entry.Permissive = ptr.To(true)
	case "disabled", "no", "false":
		entry.Permissive = ptr.To(false)
	default:
		if exists {
			found.reject(ReasonInvalidAnnotation, "The annotation %s of this namespace is %.40q and has no effect: write enabled or disabled.", names.PermissiveAnnotation, value)
		}
	}
	switch value, exists := ns.Annotations[names.EgressGatewayAnnotation]; strings.ToLower(value) {
	case "enabled", "yes", "true":
		entry.EgressGateway = true
	case "disabled", "no", "false":
	default:
		if entry.EgressGateway = exists; exists {
			found.reject(ReasonInvalidAnnotation, "The annotation %s of this namespace is %.40q, which is read as enabled: write enabled or disabled.", names.EgressGatewayAnnotation, value)
		}
	}
	return entry, found
}

// ServiceAccount reads a service account.
func ServiceAccount(sa *corev1.ServiceAccount) *catalog.ServiceAccount {
	return &catalog.ServiceAccount{Name: catalog.Name{Namespace: sa.Namespace, Name: sa.Name}, UID: string(sa.UID)}
}
