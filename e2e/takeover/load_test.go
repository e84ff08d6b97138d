package takeover

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// requestTimeout is the timeout of a request. It is long, because a slow response on a busy machine is not a failure.
	requestTimeout = "15s"
	// shortInterval is the time between two short connections.
	shortInterval = 500 * time.Millisecond
	// pollInterval is the time between two reads of the counters of the bookbuyer.
	pollInterval = time.Second
	// longLoad is the number of requests of the long form.
	longLoad = 100_000
)

// isLong reports whether the load has the rate and the number of requests of the goal.
func isLong() bool { return os.Getenv("OSM_TAKEOVER_LOAD") == "long" }

// scaled returns the rate of a flow, which is a quarter of that of the long form on a small machine.
func scaled(rate int) int {
	if isLong() {
		return rate
	}
	return rate / 4
}

// load is traffic from one bare pod to the workloads of the shop, and that of the bookbuyer.
type load struct {
	t     *testing.T
	from  string
	start time.Time
	// flows are requests by a name, and sessions long connections by their server.
	flows    map[string]*lab.Running[report.Requests]
	sessions map[string]*lab.Running[report.Session]
	// end ends the short connections and the reads of the counters.
	end     context.CancelFunc
	pending sync.WaitGroup
	mu      sync.Mutex
	// short counts short connections by their outcome.
	short map[string]int
	// failures describes the first failures of short connections.
	failures []string
	// purchases are those of the bookbuyer.
	purchases *purchases
}

// outcome is the result of a load.
type outcome struct {
	requests, failed     int
	connections, refused int
	// broken are the servers whose long connection ended.
	broken []string
	// span is the time from the first to the last failed request.
	span time.Duration
	text string
}

// startLoad starts the load from a pod: requests that open a connection each, requests over kept connections, short connections to the ledger, and a long
// one to the archive.
func startLoad(t *testing.T, from string) *load {
	t.Helper()
	a := agent(t, shopNamespace, from)
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{
		t: t, from: from, start: time.Now(), end: end, flows: map[string]*lab.Running[report.Requests]{}, sessions: map[string]*lab.Running[report.Session]{},
		short: map[string]int{}, purchases: newPurchases(),
	}
	for name, args := range map[string][]string{
		"a connection for each request": {"--rate", fmt.Sprint(scaled(100)), "--most", "40"},
		"kept connections":              {"--rate", fmt.Sprint(scaled(60)), "--most", "20", "--keep-alive"},
	} {
		flow, err := a.StartRequests(t.Context(), url(shopNamespace, store, "/books"), append([]string{"--timeout", requestTimeout}, args...)...)
		lab.Must(t, err)
		l.flows[name] = flow
	}
	session, err := a.StartSession(t.Context(), echoAddress(archive))
	lab.Must(t, err)
	l.sessions[archive] = session
	l.pending.Go(func() { every(ctx, shortInterval, func() { l.connect(ctx, a) }) })
	if from == caller {
		// What the bookbuyer lost before, while its own sidecar and its servers started, is no part of this load.
		l.purchases.read(ctx)
		l.purchases.sinceLast()
		l.pending.Go(func() { every(ctx, pollInterval, func() { l.purchases.read(ctx) }) })
	}
	t.Cleanup(end)
	return l
}

// every calls a function until ctx ends, with a time between two calls.
func every(ctx context.Context, interval time.Duration, call func()) {
	for ctx.Err() == nil {
		call()
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

// connect opens a short connection to the ledger.
func (l *load) connect(ctx context.Context, a *lab.Agent) {
	result, err := a.Session(ctx, echoAddress(ledger))
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	name := "200"
	switch {
	case err != nil:
		name = report.Other
		l.failures = append(l.failures, err.Error())
	case result.Failure != "":
		name = result.Failure
		l.failures = append(l.failures, time.Now().Format("15:04:05.000 ")+result.Error)
	}
	l.short[name]++
}

// log logs the requests so far.
func (l *load) log(when string) {
	l.t.Helper()
	for name, flow := range l.flows {
		result, err := flow.Snapshot(l.t.Context())
		lab.Must(l.t, err)
		l.t.Logf("%s: from %s, %s: %d requests, %v %v", when, l.from, name, result.Requests, result.Outcomes, result.Errors)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("%s: short connections: %v", when, l.short)
}

// logFailures logs what the sidecars of the shop wrote about failed requests since the load began.
func (l *load) logFailures() {
	l.t.Helper()
	const maxLines = 8
	var pods corev1.PodList
	lab.Must(l.t, cluster.Client.List(l.t.Context(), &pods, client.InNamespace(shopNamespace)))
	for _, pod := range pods.Items {
		logs, err := cluster.LogsSince(l.t.Context(), pod.Namespace, pod.Name, names.SidecarContainer, l.start)
		if err != nil {
			l.t.Log(err)
			continue
		}
		var failed []string
		for line := range strings.Lines(logs) {
			if strings.Contains(line, `"response_code":4`) || strings.Contains(line, `"response_code":5`) {
				failed = append(failed, line)
			}
		}
		if len(failed) > 0 {
			l.t.Logf("the sidecar of %s has %d lines about failed requests:\n%s", pod.Name, len(failed), strings.Join(failed[:min(len(failed), maxLines)], ""))
		}
	}
}

// awaitRequests waits until the load has sent a number of requests.
func (l *load) awaitRequests(count int) {
	l.t.Helper()
	lab.Eventually(l.t, time.Hour, fmt.Sprintf("%d requests were sent", count), func(ctx context.Context) (bool, string, error) {
		sent := 0
		for _, flow := range l.flows {
			result, err := flow.Snapshot(ctx)
			if err != nil {
				return false, "", err
			}
			sent += result.Requests
		}
		purchased, _ := l.purchases.total()
		sent += purchased
		return sent >= count, fmt.Sprintf("%d were sent", sent), nil
	})
}

// stop stops the load and returns its result.
func (l *load) stop() outcome {
	t, ctx := l.t, context.WithoutCancel(l.t.Context())
	t.Helper()
	l.end()
	l.pending.Wait()
	var o outcome
	var first, last time.Time
	var lines []string
	for name, flow := range l.flows {
		result, err := flow.Stop(ctx)
		lab.Must(t, err)
		o.requests, o.failed = o.requests+result.Requests, o.failed+result.Failed()
		lines = append(lines, fmt.Sprintf("%s: %d requests, %v %v, %d skipped because the machine was too busy", name, result.Requests, result.Outcomes, result.Errors, result.Skipped))
		if !result.IsRepresentative() {
			t.Errorf("%s: %d requests, and %d skipped: the load proves nothing", name, result.Requests, result.Skipped)
		}
		for _, f := range result.Failures[:min(len(result.Failures), 25)] {
			lines = append(lines, fmt.Sprintf("  %s %s after %s: %s", f.At.UTC().Format("15:04:05.000"), f.Outcome, f.Duration.Round(time.Millisecond), f.Detail))
		}
		if result.Failed() > 0 && (first.IsZero() || result.FirstFailure.Before(first)) {
			first = result.FirstFailure
		}
		if result.LastFailure.After(last) {
			last = result.LastFailure
		}
	}
	if !first.IsZero() {
		o.span = last.Sub(first)
	}
	purchased, failed := l.purchases.sinceLast()
	o.requests, o.failed = o.requests+purchased, o.failed+failed
	lines = append(lines, l.purchases.describe()...)
	for server, session := range l.sessions {
		result, err := session.Stop(ctx)
		lab.Must(t, err)
		lines = append(lines, fmt.Sprintf("the long connection to %s: %d exchanges, %s %s", server, result.Exchanges, result.Failure, result.Error))
		if result.Failure != "" {
			o.broken = append(o.broken, server)
		}
	}
	for result, count := range l.short {
		o.connections += count
		if result != "200" {
			o.refused += count
		}
	}
	lines = append(lines, fmt.Sprintf("short connections: %v %v", l.short, l.failures[:min(len(l.failures), 10)]))
	duration := time.Since(l.start)
	lines = append(lines, fmt.Sprintf("%d of %d requests failed within %s, %.0f per second for %.0f s; %d of %d connections failed",
		o.failed, o.requests, o.span.Round(time.Second), float64(o.requests)/duration.Seconds(), duration.Seconds(), o.refused, o.connections))
	o.text = "from " + l.from + ":\n" + strings.Join(lines, "\n")
	t.Log(o.text)
	return o
}
