package assess

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

func (m Mesh) retry(policy *catalog.Retry) []Finding {
	found := m.disabled(catalog.KindRetry)
	for _, destination := range policy.Destinations {
		if winner := m.View.Retry(policy.Source, destination); winner != nil && winner.Name != policy.Name {
			found = append(found, conflict(winner.Ref(),
				"Retry %s is older and already configures retries from service account %s to Service %s, so this one has no effect there: remove the Service from one of them.",
				winner.Name, policy.Source, destination))
		}
	}
	if source := accountRef(policy.Source); !m.View.Exists(source) {
		found = append(found, notFound(NoSource, source, "ServiceAccount %s of spec.source does not exist, so no requests are repeated: create it, or correct the name.", policy.Source))
	}
	for _, destination := range policy.Destinations {
		if !m.View.Exists(serviceRef(destination)) {
			found = append(found, notFound(NoRetryTarget, serviceRef(destination),
				"Service %s of spec.destinations does not exist, so requests to it are not repeated: create it, or correct the name.", destination))
		}
	}
	return found
}
