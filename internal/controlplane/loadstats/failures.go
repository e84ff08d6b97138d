package loadstats

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Bounds on what is known about servers.
const (
	// ServerInterval is the reporting interval of sidecars with servers, while nobody reads other loads.
	ServerInterval = 10 * time.Second
	// failureExpiry is how long a failure counts after it was last reported. A sidecar without requests sends none to the server.
	failureExpiry = 3 * time.Minute
)

// Server is a server that decides about requests or connections before sidecars forward them.
type Server struct {
	// Cluster is the name of its Envoy cluster.
	Cluster string
	// Policy is the ExternalAuthorization that names the server; empty for a server of the MeshConfig and for a rate limit service.
	Policy catalog.Name
}

// Failure is a server that does not answer sidecars of an identity.
type Failure struct {
	Server
	Client identity.ServiceAccount
	// Sidecars is the number of sidecars without an answer, and Since when the first of them reported it.
	Sidecars int
	Since    time.Time
}

// unanswered identifies a server that does not answer a sidecar.
type unanswered struct {
	uid string
	Server
}

type failing struct {
	client      identity.ServiceAccount
	since, last time.Time
}

// ReportServer records whether a server answered the sidecar since its last report. A server fails if it leaves at least half of the
// requests without an answer. Without requests nothing is known. The server must be one that the sidecar has.
func (r *Reporter) ReportServer(server Server, c Counts) {
	if c.Succeeded == 0 && c.Failed == 0 {
		return
	}
	now := r.store.now()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	key := unanswered{r.uid, server}
	if c.Failed < c.Succeeded {
		delete(r.store.failing, key)
		return
	}
	entry, known := r.store.failing[key]
	if !known {
		entry = failing{client: r.client, since: now}
	}
	entry.last = now
	r.store.failing[key] = entry
}

// Failures returns the servers that do not answer, sorted by cluster, policy and client.
func (s *Store) Failures() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	type group struct {
		Server
		client identity.ServiceAccount
	}
	now, sums := s.now(), map[group]Failure{}
	for key, entry := range s.failing {
		if now.Sub(entry.last) > failureExpiry {
			delete(s.failing, key)
			continue
		}
		at := group{key.Server, entry.client}
		sum, known := sums[at]
		if !known || entry.since.Before(sum.Since) {
			sum.Since = entry.since
		}
		sums[at] = Failure{key.Server, entry.client, sum.Sidecars + 1, sum.Since}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.Policy.Compare(b.Policy), a.Client.Compare(b.Client))
	})
}
