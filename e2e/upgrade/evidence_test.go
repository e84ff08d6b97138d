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
	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	// lookEvery is how often it is asked whether requests have failed: sidecars write a few hundred lines a second, of which their node
	// keeps the last ones only.
	lookEvery = 2 * time.Second
	// mostLooks is how often evidence is collected.
	mostLooks = 3
)

// interesting are the statistics of a sidecar that tell why it answers with 503, and what it was sent.
const interesting = `(upstream_rq_(503|pending_failure|pending_overflow|retry|rx_reset|tx_reset|timeout)|` +
	`upstream_cx_(connect_fail|connect_timeout|destroy.*active_rq|none_healthy)|membership_|update_rejected|update_success|update_failure|` +
	`control_plane|ssl.fail|no_cluster|no_route|drain)`

// evidence is what was seen of a mesh when requests failed.
type evidence struct {
	shop   shop
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

// watch asks again and again whether requests have failed, and when they have, collects what explains it.
func watch(s shop, running map[string]*lab.Running[report.Requests]) *evidence {
	ctx, cancel := context.WithCancel(s.t.Context())
	e := &evidence{shop: s, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		known := map[string]int{}
		unsold := e.unsold(ctx, 0)
		for looks := 0; looks < mostLooks; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookEvery):
			}
			for called, r := range running {
				// Without an API server nobody can be asked.
				now, err := r.Look(ctx)
				if err == nil && len(now.Failures) > known[called] {
					e.collect(ctx, called, now.Failures[known[called]:])
					known[called] = len(now.Failures)
					looks++
				}
			}
			if now := e.unsold(ctx, unsold); now > unsold {
				e.bookstore(ctx, now-unsold)
				unsold = now
				looks++
			}
		}
	}()
	return e
}

// end stops watching and returns what was collected.
func (e *evidence) end() string {
	if e == nil {
		return ""
	}
	e.cancel()
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

func (e *evidence) say(format string, args ...any) { fmt.Fprintf(&e.text, format+"\n", args...) }

// collect writes down what client and server logged about failed requests, their statistics, and what happens to the mesh.
func (e *evidence) collect(ctx context.Context, called string, failures []report.Failure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	e.say("== %d requests to %s failed, seen at %s", len(failures), called, time.Now().UTC().Format("15:04:05.000"))
	for _, f := range failures {
		e.say("%s", describe(called, f))
	}
	if live, err := e.shop.mesh.read(ctx); err == nil {
		e.say("mesh: %s; %s", told(live), lab.Conditions(live.Status.Conditions))
	}
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(e.shop.namespace)); err != nil {
		e.say("%v", err)
	}
	for i := range pods.Items {
		if app := pods.Items[i].Labels[lab.AppLabel]; app == buyer || app == called {
			e.sidecar(ctx, &pods.Items[i], failures)
		}
	}
	for _, namespace := range []string{"", e.shop.mesh.namespace(), e.shop.namespace} {
		e.events(ctx, namespace, failures[0].At.Add(-30*time.Second))
	}
}

// unsold is how many requests of the bookbuyer have failed: as many as before when it cannot be asked.
func (e *evidence) unsold(ctx context.Context, before int) int {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	now, err := e.shop.bought(ctx)
	if err != nil {
		return before
	}
	return now.Requests - now.Outcomes["200"]
}

// bookstore writes down what the sidecars of the bookbuyer and of the bookstore have logged, since the bookbuyer knows no ids.
func (e *evidence) bookstore(ctx context.Context, failed int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	now := time.Now()
	e.say("== %d requests of the bookbuyer failed, seen at %s", failed, now.UTC().Format("15:04:05.000"))
	for _, name := range []string{bookbuyer, bookstore} {
		namespace := e.shop.bookNamespace(name)
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			e.say("%v", err)
		}
		for i := range pods.Items {
			e.sidecar(ctx, &pods.Items[i], []report.Failure{{At: now.Add(-lookEvery)}})
		}
		e.events(ctx, namespace, now.Add(-30*time.Second))
	}
}

// sidecar writes down the lines about failed requests, and the statistics of the port.
func (e *evidence) sidecar(ctx context.Context, pod *corev1.Pod, failures []report.Failure) {
	e.say("-- %s, ready %t, ends %v, %v", pod.Name, lab.IsReady(pod), pod.DeletionTimestamp, pod.Status.PodIPs)
	logs, err := cluster.LogsSince(ctx, pod.Namespace, pod.Name, names.SidecarContainer, failures[0].At.Add(-3*time.Second))
	if err != nil {
		e.say("its log: %v", err)
	}
	for line := range strings.Lines(logs) {
		if !strings.Contains(line, `"response_code":200`) || mentions(line, failures) {
			e.say("%s", strings.TrimSpace(line))
		}
	}
	for _, path := range []string{"/stats?usedonly&filter=" + interesting, "/clusters"} {
		text, err := cluster.Admin(ctx, pod.Namespace, pod.Name, path)
		if err != nil {
			e.say("%s: %v", path, err)
		}
		for line := range strings.Lines(text) {
			if path != "/clusters" || strings.Contains(line, "health_flags") || strings.Contains(line, "rq_error") {
				e.say("   %s", strings.TrimSpace(line))
			}
		}
	}
}

func mentions(line string, failures []report.Failure) bool {
	for _, f := range failures {
		if f.ID != "" && strings.Contains(line, f.ID) {
			return true
		}
	}
	return false
}

// events writes down what has happened in a namespace since a moment; the empty one is that of Events about the Mesh.
func (e *evidence) events(ctx context.Context, namespace string, since time.Time) {
	var list corev1.EventList
	where := namespace
	if where == "" {
		where = "default"
	}
	if err := cluster.Client.List(ctx, &list, client.InNamespace(where)); err != nil {
		e.say("%v", err)
	}
	for _, event := range list.Items {
		at := event.LastTimestamp.Time
		if at.IsZero() {
			at = event.EventTime.Time
		}
		if at.After(since) {
			e.say("event %s %s %s/%s %s: %.200s", at.UTC().Format("15:04:05"), event.Type, event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, event.Message)
		}
	}
}
