package snapshot

import (
	"reflect"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// maxSameDestinations is how many versions of the destinations of one Service are kept during a batch. Nearly all clients have the same one.
const maxSameDestinations = 4

// sameDestinations has what was translated during a batch, by the first Service among the destinations: a change of a Service changes the
// destinations of all its clients, usually in the same way.
type sameDestinations map[entity.Name][]translatedDestinations

type translatedDestinations struct {
	of        *scope.Scope
	resources []encoded
}

// find returns the resources of the later version of a transition, if another scope had the same; nil otherwise.
func (x sameDestinations) find(step transition) []encoded {
	if !step.onlyDestinations || len(step.after.Outbound) == 0 {
		return nil
	}
	for _, known := range x[step.after.Outbound[0].Service] {
		if haveSameDestinations(known.of, step.after) {
			return known.resources
		}
	}
	return nil
}

// add keeps the resources of the later version of a transition.
func (x sameDestinations) add(step transition, resources []encoded) {
	if !step.onlyDestinations || len(step.after.Outbound) == 0 || step.known != nil {
		return
	}
	service := step.after.Outbound[0].Service
	if len(x[service]) < maxSameDestinations {
		x[service] = append(x[service], translatedDestinations{step.after, resources})
	}
}

// haveSameDestinations compares two results of ofAnyIdentity.
func haveSameDestinations(a, b *scope.Scope) bool {
	return equalLists(a.Outbound, b.Outbound, equalOutbound) && equalLists(a.Clusters, b.Clusters, equalCluster) &&
		reflect.DeepEqual(a.ClientPolicies, b.ClientPolicies) && reflect.DeepEqual(withoutLists(a), withoutLists(b))
}

// ofAnyIdentity returns the scope without that of which the resources of destinations are independent.
func ofAnyIdentity(s *scope.Scope) *scope.Scope {
	changed := *s
	changed.Key.Identity, changed.Key.Services, changed.Key.Ports = identity.ServiceAccount{}, "", ""
	changed.Inbound, changed.DeniedPorts, changed.Ingress, changed.Limited = nil, 0, nil, nil
	return &changed
}
