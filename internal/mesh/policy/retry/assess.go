package retry

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
)

// Assess returns what people should know about a policy.
func Assess(v *catalog.View, policy *Policy) []finding.Finding {
	var found []finding.Finding
	for _, destination := range policy.Destinations {
		if winner := InForce(v, policy.Source, destination); winner != nil && winner.Name != policy.Name {
			found = append(found, finding.NewConflict(winner.Ref(),
				"Retry %s is older and already configures retries from service account %s to Service %s, so this one has no effect there: remove the Service from one of them.",
				winner.Name, policy.Source, destination))
		}
	}
	if source := finding.Account(policy.Source); !v.Exists(source) {
		found = append(found, finding.NotFound(finding.NoSource, source,
			"ServiceAccount %s of spec.source does not exist, so no requests are repeated: create it, or correct the name.", policy.Source))
	}
	for _, destination := range policy.Destinations {
		if !v.Exists(finding.Service(destination)) {
			found = append(found, finding.NotFound(finding.NoRetryTarget, finding.Service(destination),
				"Service %s of spec.destinations does not exist, so requests to it are not repeated: create it, or correct the name.", destination))
		}
	}
	return found
}
