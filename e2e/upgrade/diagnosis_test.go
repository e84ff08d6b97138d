package upgrade

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// checkInterval is the interval of checks for failed requests. Sidecars write a few hundred log lines per second,
	// and the node keeps only the last ones.
	checkInterval = 2 * time.Second
	// maxCollections limits how often a diagnosis is collected.
	maxCollections = 3
)

// relevantStats matches the statistics of a sidecar that explain responses with 503, and the configuration it received.
const relevantStats = `(upstream_rq_(503|pending_failure|pending_overflow|retry|rx_reset|tx_reset|timeout)|` +
	`upstream_cx_(connect_fail|connect_timeout|destroy.*active_rq|none_healthy)|membership_|update_rejected|update_success|update_failure|` +
	`control_plane|ssl.fail|no_cluster|no_route|drain)`

// diagnosis collects the state of a mesh when requests fail.
type diagnosis struct {
	shop   shop
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

// startDiagnosis checks for failed requests in a loop, and collects logs and statistics when it finds some.
func startDiagnosis(s shop, running map[string]*lab.Running[report.Requests]) *diagnosis {
	ctx, cancel := context.WithCancel(s.t.Context())
	e := &diagnosis{shop: s, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		known := map[string]int{}
		unsold := e.bookbuyerFailures(ctx, 0)
		for collections := 0; collections < maxCollections; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(checkInterval):
			}
			for called, r := range running {
				// Pods are not reachable without an API server.
				now, err := r.Snapshot(ctx)
				if err == nil && len(now.Failures) > known[called] {
					e.collect(ctx, called, now.Failures[known[called]:])
					known[called] = len(now.Failures)
					collections++
				}
			}
			if now := e.bookbuyerFailures(ctx, unsold); now > unsold {
				e.collectBookstore(ctx, now-unsold)
				unsold = now
				collections++
			}
		}
	}()
	return e
}

// end stops the checks and returns the collected text.
func (e *diagnosis) end() string {
	if e == nil {
		return ""
	}
	e.cancel()
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

func (e *diagnosis) printf(format string, args ...any) { fmt.Fprintf(&e.text, format+"\n", args...) }

// collect adds the logs of client and server about failed requests, their statistics, and the state of the mesh.
func (e *diagnosis) collect(ctx context.Context, called string, failures []report.Failure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	e.printf("== %d requests to %s failed, seen at %s", len(failures), called, time.Now().UTC().Format("15:04:05.000"))
	for _, f := range failures {
		e.printf("%s", describe(called, f))
	}
	if live, err := e.shop.mesh.read(ctx); err == nil {
		e.printf("mesh: %s; %s", upgradeStatus(live), lab.Conditions(live.Status.Conditions))
	}
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(e.shop.namespace)); err != nil {
		e.printf("%v", err)
	}
	for i := range pods.Items {
		if app := pods.Items[i].Labels[lab.AppLabel]; app == buyer || app == called {
			e.collectSidecar(ctx, &pods.Items[i], failures)
		}
	}
	for _, namespace := range []string{"", e.shop.mesh.namespace(), e.shop.namespace} {
		e.collectEvents(ctx, namespace, failures[0].At.Add(-30*time.Second))
	}
}

// bookbuyerFailures returns the number of failed requests of the bookbuyer, or the given earlier number if it cannot be read.
func (e *diagnosis) bookbuyerFailures(ctx context.Context, earlier int) int {
	ctx, cancel := context.WithTimeout(ctx, checkInterval)
	defer cancel()
	now, err := e.shop.buyerCounters(ctx)
	if err != nil {
		return earlier
	}
	return now.Requests - now.Outcomes["200"]
}

// collectBookstore adds the logs of the sidecars of the bookbuyer and the bookstore. The bookbuyer does not record request
// ids.
func (e *diagnosis) collectBookstore(ctx context.Context, failed int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	now := time.Now()
	e.printf("== %d requests of the bookbuyer failed, seen at %s", failed, now.UTC().Format("15:04:05.000"))
	for _, name := range []string{bookbuyer, bookstore} {
		namespace := e.shop.bookNamespace(name)
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			e.printf("%v", err)
		}
		for i := range pods.Items {
			e.collectSidecar(ctx, &pods.Items[i], []report.Failure{{At: now.Add(-checkInterval)}})
		}
		e.collectEvents(ctx, namespace, now.Add(-30*time.Second))
	}
}

// collectSidecar adds a sidecar's log lines about failed requests, and its statistics.
func (e *diagnosis) collectSidecar(ctx context.Context, pod *corev1.Pod, failures []report.Failure) {
	e.printf("-- %s, ready %t, deleted at %v, %v", pod.Name, lab.IsReady(pod), pod.DeletionTimestamp, pod.Status.PodIPs)
	logs, err := cluster.LogsSince(ctx, pod.Namespace, pod.Name, names.SidecarContainer, failures[0].At.Add(-3*time.Second))
	if err != nil {
		e.printf("log: %v", err)
	}
	for line := range strings.Lines(logs) {
		if !strings.Contains(line, `"response_code":200`) || report.Mentions(line, failures) {
			e.printf("%s", strings.TrimSpace(line))
		}
	}
	for _, path := range []string{"/stats?usedonly&filter=" + relevantStats, "/clusters"} {
		text, err := cluster.Admin(ctx, pod.Namespace, pod.Name, path)
		if err != nil {
			e.printf("%s: %v", path, err)
		}
		for line := range strings.Lines(text) {
			if path != "/clusters" || strings.Contains(line, "health_flags") || strings.Contains(line, "rq_error") {
				e.printf("   %s", strings.TrimSpace(line))
			}
		}
	}
}

// collectEvents adds the Events in a namespace since a time. Events about the Mesh, which has no namespace, are in the
// namespace default.
func (e *diagnosis) collectEvents(ctx context.Context, namespace string, since time.Time) {
	var list corev1.EventList
	where := namespace
	if where == "" {
		where = "default"
	}
	if err := cluster.Client.List(ctx, &list, client.InNamespace(where)); err != nil {
		e.printf("%v", err)
	}
	for _, event := range list.Items {
		at := event.LastTimestamp.Time
		if at.IsZero() {
			at = event.EventTime.Time
		}
		if at.After(since) {
			e.printf("event %s %s %s/%s %s: %.200s", at.UTC().Format("15:04:05"), event.Type, event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, event.Message)
		}
	}
}
