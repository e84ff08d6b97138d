package assess

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// Mesh is the mesh whose policies are assessed.
type Mesh struct {
	// View records what the findings depend on.
	View *catalog.View
	// Namespace is that of the control plane and its MeshConfig.
	Namespace string
}

// Object is Policy for an object that may have no entry because of its problems.
func (m Mesh) Object(kind entity.Kind, entry catalog.Entry) []finding.Finding {
	if entry == nil {
		return m.disabled(kind)
	}
	return m.Policy(entry)
}

// Policy returns what people should know about a policy; nothing for other entries, and for kinds that refer to nothing.
func (m Mesh) Policy(entry catalog.Entry) []finding.Finding {
	switch policy := entry.(type) {
	case *catalog.TrafficTarget:
		return m.target(policy)
	case *catalog.TrafficSplit:
		return m.split(policy)
	case *retry.Policy:
		return append(m.disabled(retry.Kind), retry.Assess(m.View, policy)...)
	case *upstream.Policy:
		return upstream.Assess(m.View, policy)
	case *ingressbackend.Policy:
		return append(m.disabled(ingressbackend.Kind), ingressbackend.Assess(m.View, policy)...)
	case *catalog.Egress:
		return m.egress(policy)
	case *telemetry.Policy:
		return telemetry.Assess(m.View, policy, m.Namespace)
	case *extauthz.Policy:
		return extauthz.Assess(m.View, policy, m.Namespace)
	}
	return nil
}

// HasReferences reports whether Policy reads what a policy refers to.
func HasReferences(entry catalog.Entry) bool {
	switch entry.(type) {
	case *catalog.TrafficTarget, *catalog.TrafficSplit, *retry.Policy, *upstream.Policy, *ingressbackend.Policy, *catalog.Egress,
		*telemetry.Policy, *extauthz.Policy:
		return true
	}
	return false
}

// Uses reports whether a policy concerns the mesh at all: an UpstreamTrafficSetting for a host outside only does if an Egress names it.
func (m Mesh) Uses(entry catalog.Entry) bool {
	setting, ok := entry.(*upstream.Policy)
	return !ok || setting.Service != (entity.Name{}) || len(m.View.EgressesNaming(setting.Name)) > 0
}
