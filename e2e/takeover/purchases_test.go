package takeover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

// purchases are the last counters of each pod of the bookbuyer. Those of a pod that ended remain: the bookbuyer sends nothing after the signal to stop,
// and serves its counters for some seconds more.
type purchases struct {
	mu    sync.Mutex
	byPod map[string]demo.Counters
	// earlier are the requests that were reported, and those of them that failed.
	earlier, earlierFailed int
}

func newPurchases() *purchases { return &purchases{byPod: map[string]demo.Counters{}} }

// read reads the counters of each pod.
func (p *purchases) read(ctx context.Context) {
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace("bookbuyer")); err != nil {
		return
	}
	for _, pod := range pods.Items {
		var counters demo.Counters
		if pod.Status.Phase == corev1.PodRunning && cluster.GetJSON(ctx, pod.Namespace, pod.Name, demo.Port, "/counters", &counters) == nil {
			p.mu.Lock()
			p.byPod[pod.Name] = counters
			p.mu.Unlock()
		}
	}
}

// total returns the number of requests of all pods, and of those that failed.
func (p *purchases) total() (requests, failed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, counters := range p.byPod {
		requests += counters.Requests
		failed += counters.Requests - counters.Outcomes["200"]
	}
	return requests, failed
}

// describe returns a line for each pod.
func (p *purchases) describe() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for _, pod := range slices.Sorted(maps.Keys(p.byPod)) {
		lines = append(lines, fmt.Sprintf("%s: %d requests, %v", pod, p.byPod[pod].Requests, p.byPod[pod].Outcomes))
	}
	return lines
}

// sinceLast returns the numbers since its last call.
func (p *purchases) sinceLast() (requests, failed int) {
	requests, failed = p.total()
	requests, p.earlier = requests-p.earlier, requests
	failed, p.earlierFailed = failed-p.earlierFailed, failed
	return requests, failed
}
