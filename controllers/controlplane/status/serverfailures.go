package status

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// failureInterval is how often the failures of servers are updated. It bounds the writes of each policy.
const failureInterval = 30 * time.Second

// serverFailures are the servers that do not answer the sidecars of all replicas.
type serverFailures struct {
	now      func() time.Time
	watchers map[string]chan event.GenericEvent

	mu sync.Mutex
	// first and updated are the times of the first and of the latest update.
	first, updated time.Time
	// failures is replaced by each update, and never changed.
	failures map[failureKey]report.ServerFailure
}

type failureKey struct{ cluster, policy, serviceAccount string }

// watch returns a channel of objects whose namespace has policies that changed failures may concern from now on. An empty namespace
// means all. A controller must start to read the channel soon.
func (f *serverFailures) watch(kind schema.GroupVersionKind) <-chan event.GenericEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan event.GenericEvent)
	f.watchers[kind.Kind] = c
	return c
}

// current returns the failures. They are complete if every sidecar had time to report since the first update.
func (f *serverFailures) current() (failures map[failureKey]report.ServerFailure, complete bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failures, !f.first.IsZero() && f.updated.Sub(f.first) >= 2*failureInterval
}

// update adds the failures of all replicas and returns those that changed or ended. It does nothing until failureInterval has passed.
func (f *serverFailures) update(byReplica map[string]report.Rejections) []failureKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.updated) < failureInterval {
		return nil
	}
	sums := map[failureKey]report.ServerFailure{}
	for _, replica := range byReplica {
		for _, one := range replica.Failures {
			addFailure(sums, one)
		}
	}
	changed := map[failureKey]struct{}{}
	addChanges(changed, f.failures, sums, func(a, b report.ServerFailure) bool { return a == b })
	if f.first.IsZero() {
		f.first = now
	}
	f.updated, f.failures = now, sums
	return slices.Collect(maps.Keys(changed))
}

func addFailure(sums map[failureKey]report.ServerFailure, one report.ServerFailure) {
	key := failureKey{one.Cluster, one.Policy, one.ServiceAccount}
	if sum, known := sums[key]; known {
		one.Sidecars += sum.Sidecars
		if sum.Since.Before(one.Since) {
			one.Since = sum.Since
		}
	}
	sums[key] = one
}

// notify sends the namespaces of changed failures to the watchers of the kind that they concern.
func (f *serverFailures) notify(ctx context.Context, changed []failureKey) {
	type target struct{ kind, namespace string }
	sent := map[target]bool{}
	for _, one := range changed {
		kind, namespace := concernedPolicies(one)
		at := target{kind, namespace}
		watcher := f.watcherOf(kind)
		if watcher == nil || sent[at] {
			continue
		}
		sent[at] = true
		traffic.Send(ctx, watcher, schema.GroupVersionKind{Kind: kind}, entity.Name{Namespace: namespace})
	}
}

func (f *serverFailures) watcherOf(kind string) chan<- event.GenericEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watchers[kind]
}
