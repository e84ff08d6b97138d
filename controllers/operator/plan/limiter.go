package plan

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// minInterval is the least time between two plans of the same spec. A plan takes about a second to compute, and in a large mesh sidecars
// come and go all the time.
const minInterval = 5 * time.Second

// limiter keeps plans apart. A nil limiter does not.
type limiter struct {
	mu   sync.Mutex
	last map[types.UID]lastPlan
}

// lastPlan is when a plan was computed, and of which generation.
type lastPlan struct {
	generation int64
	at         time.Time
}

func newLimiter() *limiter { return &limiter{last: map[types.UID]lastPlan{}} }

// wait returns how long the next plan of a mesh must wait. With 0 the plan begins now.
func (l *limiter) wait(mesh *v1alpha1.Mesh, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last, made := l.last[mesh.UID]
	if rest := last.at.Add(minInterval).Sub(now); made && last.generation == mesh.Generation && mesh.DeletionTimestamp == nil && rest > 0 {
		return rest
	}
	l.last[mesh.UID] = lastPlan{mesh.Generation, now}
	return 0
}
