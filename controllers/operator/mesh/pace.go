package mesh

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// planRest is how long a mesh rests between two plans of the same spec. A plan is work for a second, and in a large mesh sidecars come and
// go all the time.
const planRest = 5 * time.Second

// pace keeps plans apart. A nil one does not.
type pace struct {
	mu   sync.Mutex
	last map[types.UID]planMade
}

// planMade is when a plan was made, and of which generation.
type planMade struct {
	generation int64
	at         time.Time
}

func newPace() *pace { return &pace{last: map[types.UID]planMade{}} }

// wait says how long the mesh has to rest before its next plan; if it has not, the plan begins now.
func (p *pace) wait(mesh *v1alpha1.Mesh, now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last, made := p.last[mesh.UID]
	if rest := last.at.Add(planRest).Sub(now); made && last.generation == mesh.Generation && mesh.DeletionTimestamp == nil && rest > 0 {
		return rest
	}
	p.last[mesh.UID] = planMade{mesh.Generation, now}
	return 0
}
