package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// ClientPolicies configure the requests of one client. They are separate from Outbound because in a permissive mesh nothing else about a
// destination depends on the client.
type ClientPolicies struct {
	// Retries are sorted by Service. They may include Services that the client cannot call.
	Retries []Retry
	// MarksRequests is true if the sidecar adds a header to all requests, by which it logs them.
	MarksRequests bool
}

func clientPolicies(v *catalog.View, key *Key, settings *catalog.Settings) ClientPolicies {
	return ClientPolicies{Retries: retries(v, key.Identity, settings.RetryPolicies), MarksRequests: key.Tapped}
}

// HasNoClientPolicies reports whether all destinations have the same configuration as for any other client.
func (p *ClientPolicies) HasNoClientPolicies() bool { return len(p.Retries) == 0 && !p.MarksRequests }

// ChangedServices returns the Services whose policies differ.
func (p *ClientPolicies) ChangedServices(after *ClientPolicies) []entity.Name {
	return differentServices(p.Retries, after.Retries, func(r Retry) entity.Name { return r.Service })
}

// differentServices returns the Services of the elements that only one of two sorted lists has.
func differentServices[E comparable](before, after []E, service func(E) entity.Name) []entity.Name {
	if slices.Equal(before, after) {
		return nil // nearly always
	}
	var services []entity.Name
	for _, lists := range [][2][]E{{before, after}, {after, before}} {
		for _, element := range lists[0] {
			if !slices.Contains(lists[1], element) {
				services = append(services, service(element))
			}
		}
	}
	return services
}

// Retry configures how a client retries requests to a Service. The Service may be the root of a TrafficSplit.
type Retry struct {
	Service entity.Name
	Policy  retry.Settings
}

// retries are the Retry policies of a client, sorted by Service.
func retries(v *catalog.View, client identity.ServiceAccount, enabled bool) []Retry {
	if !enabled {
		return nil
	}
	var list []Retry
	for _, service := range retry.Destinations(v, client) {
		if r := retry.InForce(v, client, service); r != nil {
			list = append(list, Retry{service, r.Settings})
		}
	}
	return list
}

// RetryOf is the client's retry policy for a Service; nil if there is none.
func (s *Scope) RetryOf(service entity.Name) *retry.Settings {
	for i := range s.Retries {
		if s.Retries[i].Service == service {
			return &s.Retries[i].Policy
		}
	}
	return nil
}
