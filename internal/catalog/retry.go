package catalog

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Retry says how often a client's sidecar repeats failed requests to some Services (policy.openservicemesh.io). It acts only
// while Settings.RetryPolicies is on.
type Retry struct {
	Name    Name
	Created time.Time
	// Source is the client. The namespace of the object itself decides nothing, as in OSM.
	Source identity.ServiceAccount
	// Destinations are Services, sorted.
	Destinations []Name
	Policy       RetryPolicy
}

// Ref implements Entry.
func (r *Retry) Ref() Ref { return Ref{KindRetry, r.Name} }

// RetryPolicy is the way failed requests are repeated.
type RetryPolicy struct {
	// On lists Envoy's retry conditions, joined by commas, for example "5xx,connect-failure".
	On string
	// Count is how often a request is repeated at most.
	Count uint32
	// PerTryTimeout bounds each attempt; 0 does not.
	PerTryTimeout time.Duration
	// BackoffBase is the wait before the first repetition; it grows up to ten times that. 0 is Envoy's 25 ms.
	BackoffBase time.Duration
}

// RetriedFrom are the Services that the Retries of a client name, sorted; it may not reach all of them.
func (v *View) RetriedFrom(source identity.ServiceAccount) []Name {
	v.deps.add(DepRetriesFrom, Name(source))
	var list []Name
	for _, r := range shown(v, sorted[*Retry](v.catalog, KindRetry, v.catalog.retriesFrom[source])) {
		list = append(list, r.Destinations...)
	}
	slices.SortFunc(list, Name.Compare)
	return slices.Compact(list)
}

// Retry is the policy in force for requests of a client to a Service: the oldest, by name among those of equal age. Nil without
// one.
func (v *View) Retry(source identity.ServiceAccount, destination Name) *Retry {
	v.deps.add(DepRetriesFrom, Name(source))
	return oldestOf(v, KindRetry, v.catalog.retriesFrom[source], func(r *Retry) bool { return r.leadsTo(destination) })
}

func (r *Retry) leadsTo(destination Name) bool {
	for _, d := range r.Destinations {
		if d == destination {
			return true
		}
	}
	return false
}
