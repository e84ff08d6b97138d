package components

import (
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// interruption is the time without an observation after which an attempt has been interrupted. While one is in progress, it is observed every 10 s,
// and after a failure at least once a minute.
const interruption = 2 * time.Minute

// attempts are when the components of meshes were observed last. The zero value is ready for use; it is safe for concurrent use.
type attempts struct {
	mu       sync.Mutex
	observed map[[2]string]time.Time
}

// isInterrupted reports whether this process has not observed a component for a while. After the API server was away, it is another process: the
// operator ends with its lease.
func (a *attempts) isInterrupted(mesh, component string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, known := a.observed[[2]string{mesh, component}]
	return !known || now.Sub(last) > interruption
}

func (a *attempts) record(mesh, component string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.observed == nil {
		a.observed = map[[2]string]time.Time{}
	}
	a.observed[[2]string{mesh, component}] = now
}

// isRefused reports whether the objects of a component could not be applied at the last time.
func isRefused(mesh *v1alpha1.Mesh, component string) bool {
	return slices.ContainsFunc(mesh.Status.Components, func(c v1alpha1.ComponentStatus) bool {
		return c.Name == component && c.Reason == v1alpha1.ReasonApplyFailed
	})
}
