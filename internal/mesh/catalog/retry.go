package catalog

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// KindRetry is the kind of Retry entries.
const KindRetry Kind = "Retry"

// Retry configures how a client's sidecar retries requests to some Services (policy.openservicemesh.io). It requires
// Settings.RetryPolicies.
type Retry struct {
	Name    Name
	Created time.Time
	// Source is the client, in the namespace of the Retry.
	Source identity.ServiceAccount
	// Destinations are Services, sorted.
	Destinations []Name
	Policy       RetryPolicy
}

// Ref implements Entry.
func (r *Retry) Ref() Ref { return Ref{KindRetry, r.Name} }

// Age implements Aged.
func (r *Retry) Age() time.Time { return r.Created }

// Deps implements Entry.
func (r *Retry) Deps(list []Dep) []Dep {
	return append(list, Dep{DepClientPolicies, Name(r.Source)})
}

// What is repeated if nothing else is configured: requests that no server has begun to process, which is always safe.
const (
	// DefaultRetryConditions are Envoy's retry conditions. All other policies have them too.
	DefaultRetryConditions = "connect-failure,refused-stream,reset-before-request"
	// DefaultRetryCount is the maximum number of retries.
	DefaultRetryCount = 2
)

// RetryPolicy configures retries of failed requests.
type RetryPolicy struct {
	// On lists Envoy's retry conditions, joined by commas, for example "5xx,connect-failure".
	On string
	// Count is the maximum number of retries.
	Count uint32
	// PerTryTimeout bounds each attempt; 0 means no limit.
	PerTryTimeout time.Duration
	// BackoffBase is the backoff before the first retry; it grows up to ten times that. 0 is Envoy's default of 25 ms.
	BackoffBase time.Duration
}

// RetriedServices returns the destinations of a client's Retries, sorted. The client may not be allowed to call all of
// them.
func (v *View) RetriedServices(source identity.ServiceAccount) []Name {
	var list []Name
	for _, r := range find[*Retry](v, KindRetry, Dep{DepClientPolicies, Name(source)}) {
		list = append(list, r.Destinations...)
	}
	slices.SortFunc(list, Name.Compare)
	return slices.Compact(list)
}

// Retry returns the Retry in force for requests of a client to a Service: the oldest, the first by name among those of
// equal age; nil if there is none.
func (v *View) Retry(source identity.ServiceAccount, destination Name) *Retry {
	return oldestOf(v, KindRetry, Dep{DepClientPolicies, Name(source)}, func(r *Retry) bool { return r.hasDestination(destination) })
}

func (r *Retry) hasDestination(destination Name) bool {
	for _, d := range r.Destinations {
		if d == destination {
			return true
		}
	}
	return false
}
