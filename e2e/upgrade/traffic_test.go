package upgrade

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/demo"
)

// flows are the buyer's loads by server: one opens a connection per request, one reuses connections. Together with the
// bookbuyer (see bookbuyerRate) they send 200 requests per second.
var flows = map[string][]string{
	store:     {"--rate", "100", "--most", "50"},
	warehouse: {"--rate", "60", "--most", "30", "--keep-alive"},
}

// requestTimeout is the timeout of a request. It is long, because a slow response on a busy machine is not a failure.
const requestTimeout = "15s"

// traffic is the load during a scenario.
type traffic struct {
	shop    shop
	running map[string]*lab.Running[report.Requests]
	// buyerCounters holds the bookbuyer's counters at the start.
	buyerCounters demo.Counters
	start         time.Time
	// maxFailures is the number of requests that may fail.
	maxFailures int
	diagnosis   *diagnosis
	stopped     bool
}

// startTraffic starts the load. At most maxFailures requests may fail. The result is logged also if the test ends early.
func (s shop) startTraffic(maxFailures int) *traffic {
	s.t.Helper()
	tr := &traffic{shop: s, running: map[string]*lab.Running[report.Requests]{}, maxFailures: maxFailures, start: time.Now()}
	agent := s.agent(buyer)
	for server, args := range flows {
		s.awaitReachable(agent, server)
		running, err := agent.StartRequests(s.t.Context(), s.url(server), append([]string{"--timeout", requestTimeout}, args...)...)
		lab.Must(s.t, err)
		tr.running[server] = running
	}
	var err error
	tr.buyerCounters, err = s.buyerCounters(s.t.Context())
	lab.Must(s.t, err)
	if maxFailures == 0 {
		tr.diagnosis = startDiagnosis(s, tr.running)
	}
	s.t.Cleanup(func() {
		if !tr.stopped {
			tr.stop("until the test ended")
		}
	})
	return tr
}

// stop stops the load and checks its result.
func (tr *traffic) stop(name string) {
	tr.stopped = true
	t, ctx := tr.shop.t, context.WithoutCancel(tr.shop.t.Context())
	t.Helper()
	total, failed := 0, 0
	var failures []string
	for server, running := range tr.running {
		result, err := running.Stop(ctx)
		lab.Must(t, err)
		total, failed = total+result.Requests, failed+result.Failed()
		t.Logf("%s: %d requests to %s, %v %v, late by up to %s, %d skipped because the machine was too busy",
			name, result.Requests, server, result.Outcomes, result.Errors, result.Late, result.Skipped)
		if !result.IsRepresentative() {
			t.Errorf("%s: %d requests to %s, and %d skipped: the load proves nothing", name, result.Requests, server, result.Skipped)
		}
		for _, f := range result.Failures {
			failures = append(failures, describe(server, f))
		}
	}
	counters, err := tr.shop.buyerCounters(ctx)
	lab.Must(t, err)
	requests := counters.Requests - tr.buyerCounters.Requests
	buyerFailures := requests - (counters.Outcomes["200"] - tr.buyerCounters.Outcomes["200"])
	t.Logf("%s: %d requests of the bookbuyer, %d failed: outcomes before %v, now %v", name, requests, buyerFailures, tr.buyerCounters.Outcomes, counters.Outcomes)
	total, failed = total+requests, failed+buyerFailures
	duration := time.Since(tr.start)
	t.Logf("%s: %d of %d requests failed, %.0f per second for %.0f s", name, failed, total, float64(total)/duration.Seconds(), duration.Seconds())
	collected := tr.diagnosis.end()
	if buyerFailures > 0 {
		collected += tr.shop.failedRequestLog(ctx, tr.start)
	}
	if failed > tr.maxFailures {
		t.Errorf("%s: %d of %d requests failed, want at most %d:\n%s\n%s", name, failed, total, tr.maxFailures, strings.Join(failures, "\n"), collected)
	}
	if total < 500 {
		t.Errorf("%s: %d requests are too few for a result", name, total)
	}
}

func describe(called string, f report.Failure) string {
	return fmt.Sprintf("%s %s to %s: %s after %s, the client had no processor for %s: %s",
		f.At.UTC().Format("15:04:05.000"), f.ID, called, f.Outcome, f.Duration, f.Stalled, f.Detail)
}

// checkRequests sends requests from one app to another, and requires all of them to succeed.
func (s shop) checkRequests(t *testing.T, from, to string) {
	t.Helper()
	agent := s.agent(from)
	s.awaitReachable(agent, to)
	result, err := agent.Requests(t.Context(), s.url(to), "--count", "50", "--rate", "50", "--timeout", requestTimeout)
	lab.Must(t, err)
	if result.Outcomes["200"] != 50 {
		t.Errorf("of 50 requests from %s to %s: %v %v", from, to, result.Outcomes, result.Failures)
	}
}

// awaitReachable waits until requests succeed, because a policy may not have been pushed yet.
func (s shop) awaitReachable(agent *lab.Agent, server string) {
	s.t.Helper()
	_, err := agent.AwaitOutcome(s.t.Context(), 20*time.Second, s.url(server), "200")
	lab.Must(s.t, err)
}
