package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// requestTimeout is the timeout of a request. It is long, because a slow response on a busy machine is not a failure.
const requestTimeout = "15s"

// flow is one client's part of the load.
type flow struct {
	namespace, client string
	args              []string
	// allowed is true if the policies allow the requests.
	allowed bool
}

// flows send 100 requests per second: of the buyer with reused connections and a connection per request, and those that must be denied.
var flows = []flow{
	{inside, buyer, []string{"--rate", "55", "--most", "60", "--keep-alive"}, true},
	{inside, buyer, []string{"--rate", "35", "--most", "60"}, true},
	{inside, thief, []string{"--rate", "5", "--most", "20"}, false},
	{outside, outsider, []string{"--rate", "5", "--most", "20"}, false},
}

// load is the running load.
type load struct {
	t       *testing.T
	running map[*lab.Running[report.Requests]]flow
	start   time.Time
}

// measurement is the result of a load.
type measurement struct {
	requests, lost, permitted int
	outcomes                  map[string]int
	failures                  []report.Failure
}

// startLoad starts the load. Its connections to the clients end with the test.
func startLoad(t *testing.T) *load {
	t.Helper()
	l := &load{t: t, running: map[*lab.Running[report.Requests]]flow{}, start: time.Now()}
	for _, f := range flows {
		running, err := agentOf(t.Context(), f.namespace, f.client).StartRequests(t.Context(), url, append([]string{"--timeout", requestTimeout}, f.args...)...)
		lab.Must(t, err)
		l.running[running] = f
	}
	return l
}

// stop stops the load and counts. A request without a response is lost if the policies allow it; any success of another one is a violation.
func (l *load) stop() measurement {
	l.t.Helper()
	m := measurement{outcomes: map[string]int{}}
	for running, f := range l.running {
		result, err := running.Stop(context.WithoutCancel(l.t.Context()))
		lab.Must(l.t, err)
		m.requests += result.Requests
		if !f.allowed {
			m.permitted += result.Outcomes["200"]
			continue
		}
		m.lost += result.Failed()
		m.failures = append(m.failures, result.Failures...)
		for outcome, count := range result.Outcomes {
			m.outcomes[outcome] += count
		}
	}
	return m
}

// perSecond returns the rate of the requests.
func (l *load) perSecond(m measurement) float64 {
	return float64(m.requests) / time.Since(l.start).Seconds()
}

// describe lists failed requests.
func (m measurement) describe() string {
	text := fmt.Sprint(m.outcomes)
	for i, f := range m.failures {
		if i == 10 {
			return text + "\n..."
		}
		text += fmt.Sprintf("\n%s %s: %s after %s (the client had no processor for %s), %s", f.At.UTC().Format("15:04:05.000"), f.ID, f.Outcome, f.Duration.Round(time.Millisecond),
			f.Stalled.Round(time.Millisecond), f.Detail)
	}
	return text
}

// logged returns what the sidecars of the shop have logged about failed requests, and everything but access logs since the first of them.
func (m measurement) logged(ctx context.Context) string {
	if len(m.failures) == 0 {
		return ""
	}
	first := slices.MinFunc(m.failures, func(a, b report.Failure) int { return a.At.Compare(b.At) })
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(inside)); err != nil {
		return err.Error()
	}
	var text strings.Builder
	for i := range pods.Items {
		pod := &pods.Items[i]
		fmt.Fprintf(&text, "\n-- sidecar of %s", pod.Name)
		for _, status := range pod.Status.InitContainerStatuses {
			fmt.Fprintf(&text, ", %s restarted %d times", status.Name, status.RestartCount)
		}
		lines, err := cluster.LogsSince(ctx, pod.Namespace, pod.Name, names.SidecarContainer, first.At.Add(-3*time.Second))
		if err != nil {
			fmt.Fprintf(&text, "\n%v", err)
		}
		for line := range strings.Lines(lines) {
			if !strings.Contains(line, `"response_code":`) || report.Mentions(line, m.failures) {
				text.WriteString("\n" + strings.TrimSpace(line))
			}
		}
	}
	return text.String()
}
