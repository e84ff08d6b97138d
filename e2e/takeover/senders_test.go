package takeover

import (
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

// podInterval is how often the pods of senders are listed.
const podInterval = 200 * time.Millisecond

// sender sends requests from each ready pod of an app, also from those that begin later. A pod that ends sends nothing any more, as a program that
// received the signal to stop.
type sender struct {
	// class is the name of the senders in results.
	class          string
	namespace, app string
	url            string
	// flows are the arguments of each flow of requests.
	flows [][]string
}

// phase is the load during a part of a takeover.
type phase struct {
	t       *testing.T
	name    string
	start   time.Time
	end     context.CancelFunc
	pending sync.WaitGroup

	mu sync.Mutex
	// known are the pods that send, or have.
	known map[types.UID]*sendingPod
	// reports are those of flows that ended.
	reports []flowReport
	// errors are why flows did not start or have no report.
	errors []error
}

// sendingPod is a pod from which requests are sent.
type sendingPod struct {
	name string
	// stop ends its requests.
	stop context.CancelFunc
	// ended is when its deletion began; zero for a pod that remains.
	ended time.Time
}

// flowReport is the report of a flow of one pod.
type flowReport struct {
	class string
	pod   *sendingPod
	*report.Requests
}

// startPhase starts the load of senders.
func startPhase(t *testing.T, name string, senders []sender) *phase {
	t.Helper()
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &phase{t: t, name: name, start: time.Now(), end: end, known: map[types.UID]*sendingPod{}}
	t.Cleanup(end)
	p.pending.Go(func() {
		every(ctx, podInterval, func() {
			for _, s := range senders {
				p.follow(ctx, s)
			}
		})
	})
	return p
}

// follow starts the flows of new pods of a sender, and ends those of pods that end.
func (p *phase) follow(ctx context.Context, s sender) {
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(s.namespace), client.MatchingLabels{lab.AppLabel: s.app}); err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range pods.Items {
		pod := &pods.Items[i]
		known := p.known[pod.UID]
		switch {
		case known == nil && pod.DeletionTimestamp == nil && lab.IsReady(pod):
			flowContext, stop := context.WithCancel(ctx)
			known = &sendingPod{name: pod.Name, stop: stop}
			p.known[pod.UID] = known
			for _, args := range s.flows {
				p.pending.Go(func() { p.send(flowContext, s, known, args) })
			}
		case known != nil && pod.DeletionTimestamp != nil && known.ended.IsZero():
			known.ended = deletionOf(pod)
			known.stop()
		}
	}
}

// send sends the requests of one flow until ctx ends, and adds their report.
func (p *phase) send(ctx context.Context, s sender, pod *sendingPod, args []string) {
	lasting := context.WithoutCancel(ctx)
	connection, end := context.WithCancel(lasting)
	defer end()
	running, err := cluster.Agent(connection, s.namespace, pod.name, lab.AgentPort).StartRequests(ctx, s.url, append([]string{"--timeout", requestTimeout}, args...)...)
	var result *report.Requests
	if err == nil {
		<-ctx.Done()
		result, err = running.Stop(lasting)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.errors = append(p.errors, err)
		return
	}
	p.reports = append(p.reports, flowReport{s.class, pod, result})
}
