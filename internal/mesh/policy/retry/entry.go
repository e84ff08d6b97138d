package retry

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Kind is the kind of the policies.
const Kind entity.Kind = "Retry"

// Policy configures how a client's sidecar retries requests to some Services (policy.openservicemesh.io). It requires Settings.RetryPolicies of the mesh.
type Policy struct {
	Name    entity.Name
	Created time.Time
	// Source is the client, in the namespace of the policy.
	Source identity.ServiceAccount
	// Destinations are Services, sorted.
	Destinations []entity.Name
	Settings     Settings
}

// Ref implements catalog.Entry.
func (p *Policy) Ref() entity.Ref { return Kind.Ref(p.Name) }

// Age implements catalog.Aged.
func (p *Policy) Age() time.Time { return p.Created }

// Deps implements catalog.Entry.
func (p *Policy) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.DepClientPolicies.Of(entity.Name(p.Source)))
}

// What is repeated if nothing else is configured: requests that no server has begun to process, which is always safe.
const (
	// DefaultConditions are Envoy's retry conditions. All other settings have them too.
	DefaultConditions = "connect-failure,refused-stream,reset-before-request"
	// DefaultCount is the maximum number of retries.
	DefaultCount = 2
)

// Settings configures retries of failed requests.
type Settings struct {
	// On lists Envoy's retry conditions, joined by commas, for example "5xx,connect-failure".
	On string
	// Count is the maximum number of retries.
	Count uint32
	// PerTryTimeout bounds each attempt; 0 means no limit.
	PerTryTimeout time.Duration
	// BackoffBase is the backoff before the first retry; it grows up to ten times that. 0 is Envoy's default of 25 ms.
	BackoffBase time.Duration
}

// Destinations returns the destinations of a client's policies, sorted. The client may not be allowed to call all of them.
func Destinations(v *catalog.View, source identity.ServiceAccount) []entity.Name {
	list := lists.FlatMap(catalog.Find[*Policy](v, Kind, clientPolicies(source)), func(p *Policy) []entity.Name { return p.Destinations })
	return lists.UniqueFunc(list, entity.Name.Compare)
}

// InForce returns the policy for requests of a client to a Service: the oldest, the first by name among those of equal age; nil if there is none.
func InForce(v *catalog.View, source identity.ServiceAccount, destination entity.Name) *Policy {
	return catalog.Oldest(v, Kind, clientPolicies(source), func(p *Policy) bool { return slices.Contains(p.Destinations, destination) })
}

func clientPolicies(source identity.ServiceAccount) entity.Dep {
	return entity.DepClientPolicies.Of(entity.Name(source))
}
