package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Retry configures how a client retries requests to a Service. The Service may be the root of a TrafficSplit.
type Retry struct {
	Service catalog.Name
	Policy  catalog.RetryPolicy
}

// retries are the Retry policies of a client, sorted by Service.
func retries(v *catalog.View, client identity.ServiceAccount, enabled bool) []Retry {
	if !enabled {
		return nil
	}
	var list []Retry
	for _, service := range v.RetriedServices(client) {
		if r := v.Retry(client, service); r != nil {
			list = append(list, Retry{service, r.Policy})
		}
	}
	return list
}

// RetryOf is the client's retry policy for a Service; nil if there is none.
func (s *Scope) RetryOf(service catalog.Name) *catalog.RetryPolicy {
	for i := range s.Retries {
		if s.Retries[i].Service == service {
			return &s.Retries[i].Policy
		}
	}
	return nil
}
