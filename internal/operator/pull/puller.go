package pull

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Timeout is how long a node is waited for. After that, an upgrade goes on without its pods. These get the image when their node has it.
const Timeout = 2 * time.Minute

const (
	// poll is how often nodes are observed when none is waited for, and how often a rejected pod is tried again.
	poll = 30 * time.Second
	// pollPod is how much longer it takes until nodes that are waited for are observed again, for each pod that an observation lists.
	pollPod = 20 * time.Millisecond
	// pollLeast is how long that takes without pods.
	pollLeast = time.Second
)

// Memory is how long an image counts as unusable. After that it is tried again, because a tag can get another content.
const Memory = 10 * time.Minute

// Cluster has the nodes.
type Cluster interface {
	// ReadyNodes are the nodes that can pull images of sidecars, and whether each is ready.
	ReadyNodes(ctx context.Context) (map[string]bool, error)
}

// Puller lets nodes pull images, for all meshes. It reads from the API server, and only during upgrades in place.
type Puller struct {
	client client.Client
	live   client.Reader
	nodes  Cluster
	now    func() time.Time

	mu sync.Mutex
	// ended are the meshes that have nothing which pulls.
	ended map[types.UID]bool
	// trials has the last dry run of each image: whether its program runs on the nodes.
	trials map[string]trial
	// known is what was observed last for each mesh.
	known map[types.UID]observation
}

// trial is what became of the Envoy of an image.
type trial struct {
	// reason is why it does not run; empty if it does, and while that is not known.
	reason string
	at     time.Time
}

// New returns a Puller that writes with a client, and reads live.
func New(c client.Client, live client.Reader, nodes Cluster, now func() time.Time) *Puller {
	return &Puller{client: c, live: live, nodes: nodes, now: now, ended: map[types.UID]bool{}, trials: map[string]trial{}, known: map[types.UID]observation{}}
}

// Nodes returns the nodes that have an image whose Envoy runs, after it has asked the next ones to pull it. With an error, the answer is what is known
// nevertheless.
func (p *Puller) Nodes(ctx context.Context, mesh *v1alpha1.Mesh, r Request) (rollout.Pulled, error) {
	o := p.observation(mesh)
	if o.image != r.Image {
		o = observation{image: r.Image, Pulled: rollout.Pulled{Nodes: rollout.Nodes{}}, first: map[string]time.Time{}, rejections: map[string]rejection{}}
	}
	if p.now().Before(o.due(r)) {
		return o.Pulled, nil
	}
	err := p.observe(ctx, mesh, r, &o)
	o.at = p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[mesh.UID], p.known[mesh.UID] = false, o
	return o.Pulled, err
}

// Pulled returns what Nodes returned last for an image; nothing is known without a call.
func (p *Puller) Pulled(mesh *v1alpha1.Mesh, reference string) rollout.Pulled {
	if o := p.observation(mesh); o.image.Reference == reference {
		return o.Pulled
	}
	return rollout.Pulled{}
}

func (p *Puller) observation(mesh *v1alpha1.Mesh) observation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[mesh.UID]
}

// Unusable returns why the Envoy of an image does not run; empty if it does on any node, before enough have tried, and a while after.
func (p *Puller) Unusable(reference string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.trials[reference]; p.now().Sub(t.at) < Memory {
		return t.reason
	}
	return ""
}

// End deletes what pulls images for a mesh.
func (p *Puller) End(ctx context.Context, mesh *v1alpha1.Mesh, namespace string) error {
	p.mu.Lock()
	ended := p.ended[mesh.UID]
	p.mu.Unlock()
	if ended {
		return nil
	}
	if err := p.deleteAll(ctx, mesh, namespace); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended[mesh.UID] = true
	delete(p.known, mesh.UID)
	return nil
}
