package assess

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Mesh is the mesh whose policies are assessed.
type Mesh struct {
	// View records what the findings depend on.
	View *catalog.View
	// Namespace is that of the control plane and its MeshConfig.
	Namespace string
}

// Object is Policy for an object that may have no entry because of its problems.
func (m Mesh) Object(kind catalog.Kind, entry catalog.Entry) []Finding {
	if entry == nil {
		return m.disabled(kind)
	}
	return m.Policy(entry)
}

// Policy returns what people should know about a policy; nothing for other entries, and for kinds that refer to nothing.
func (m Mesh) Policy(entry catalog.Entry) []Finding {
	switch policy := entry.(type) {
	case *catalog.TrafficTarget:
		return m.target(policy)
	case *catalog.TrafficSplit:
		return m.split(policy)
	case *catalog.Retry:
		return m.retry(policy)
	case *catalog.UpstreamTrafficSetting:
		return m.upstream(policy)
	case *catalog.IngressBackend:
		return m.ingress(policy)
	case *catalog.Egress:
		return m.egress(policy)
	case *catalog.Telemetry:
		return m.telemetry(policy)
	case *catalog.ExternalAuthorizationPolicy:
		return m.authorization(policy)
	}
	return nil
}

// HasReferences reports whether Policy reads what a policy refers to.
func HasReferences(entry catalog.Entry) bool {
	switch entry.(type) {
	case *catalog.TrafficTarget, *catalog.TrafficSplit, *catalog.Retry, *catalog.UpstreamTrafficSetting, *catalog.IngressBackend, *catalog.Egress,
		*catalog.Telemetry, *catalog.ExternalAuthorizationPolicy:
		return true
	}
	return false
}

// Uses reports whether a policy concerns the mesh at all: an UpstreamTrafficSetting for a host outside only does if an Egress names it.
func (m Mesh) Uses(entry catalog.Entry) bool {
	setting, ok := entry.(*catalog.UpstreamTrafficSetting)
	return !ok || setting.Service != (catalog.Name{}) || len(m.View.EgressesNaming(setting.Name)) > 0
}
