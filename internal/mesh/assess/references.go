package assess

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sources returns the accounts of spec.sources that do not exist.
func (m Mesh) sources(accounts []identity.ServiceAccount) []finding.Finding {
	var missing []finding.Finding
	for _, account := range accounts {
		if !m.View.Exists(finding.Account(account)) {
			missing = append(missing, finding.NotFound(finding.NoSource, finding.Account(account),
				"ServiceAccount %s of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.", account))
		}
	}
	return missing
}

// disabled returns the finding that the switch of a kind in the MeshConfig is off; none if it is on.
func (m Mesh) disabled(kind entity.Kind) []finding.Finding {
	row, known := kinds.Named(string(kind))
	if !known || row.Feature == nil || m.isEnabled(kind) {
		return nil
	}
	return []finding.Finding{finding.New(finding.Disabled, finding.ReasonDisabled, "%s objects have an effect only while spec.featureFlags.%s of MeshConfig %s/%s is true: set it to true.",
		kind, row.Feature.Field, m.Namespace, names.MeshConfig)}
}

// isEnabled reports whether the mesh applies policies of a kind.
func (m Mesh) isEnabled(kind entity.Kind) bool {
	switch kind {
	case retry.Kind:
		return m.View.Settings().RetryPolicies
	case ingressbackend.Kind:
		return m.View.Settings().IngressBackends
	case entity.KindEgress:
		return m.View.Settings().EgressPolicies
	}
	return true
}
