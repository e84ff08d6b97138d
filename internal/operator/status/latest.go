package status

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// latest remembers the resource version of the last write of each owner. A Mesh from the cache may be older than that. What is computed
// from it would count transitions and restart times twice.
type latest struct {
	mu       sync.Mutex
	versions map[latestKey]string
}

type latestKey struct {
	manager string
	mesh    types.UID
}

func newLatest() *latest { return &latest{versions: map[latestKey]string{}} }

// isStale reports whether a Mesh was read before the last write of an owner. Versions that cannot be compared are not stale.
func (l *latest) isStale(owner Owner, mesh *v1alpha1.Mesh) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	order, err := resourceversion.CompareResourceVersion(mesh.ResourceVersion, l.versions[latestKey{owner.Manager, mesh.UID}])
	return err == nil && order < 0
}

// record remembers a write. A Mesh that is being deleted is forgotten, because it may not be written again.
func (l *latest) record(owner Owner, mesh *v1alpha1.Mesh, version string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if mesh.DeletionTimestamp != nil {
		delete(l.versions, latestKey{owner.Manager, mesh.UID})
		return
	}
	l.versions[latestKey{owner.Manager, mesh.UID}] = version
}
