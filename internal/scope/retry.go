package scope

import (
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Retry is how a client repeats failed requests to a Service: the one it asks for, which may be the root of a TrafficSplit.
type Retry struct {
	Service catalog.Name
	Policy  catalog.RetryPolicy
}

// retries are those of a client, sorted by Service.
func retries(v *catalog.View, client identity.ServiceAccount, enabled bool) []Retry {
	if !enabled {
		return nil
	}
	var list []Retry
	for _, service := range v.RetriedFrom(client) {
		if r := v.Retry(client, service); r != nil {
			list = append(list, Retry{service, r.Policy})
		}
	}
	return list
}

// RetryOf is the retry policy of the client for a Service; nil without one.
func (s *Scope) RetryOf(service catalog.Name) *catalog.RetryPolicy {
	for i := range s.Retries {
		if s.Retries[i].Service == service {
			return &s.Retries[i].Policy
		}
	}
	return nil
}
