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

// flows are what the buyer sends: one with a new connection for each request, one with connections that last. With what the bookbuyer
// sends (see bookbuyerRate) they are 200 requests a second.
var flows = map[string][]string{
	store:     {"--rate", "100", "--most", "50"},
	warehouse: {"--rate", "60", "--most", "30", "--keep-alive"},
}

// answerLimit is how long a request may take: on a busy machine a slow answer is no lost one.
const answerLimit = "15s"

// traffic is what is sent while something happens to the mesh.
type traffic struct {
	shop    shop
	running map[string]*lab.Running[report.Requests]
	// bought is what the bookbuyer had counted when it began.
	bought demo.Counters
	begun  time.Time
	// mayFail is how many requests may fail.
	mayFail  int
	evidence *evidence
	judged   bool
}

// start begins to send, of which so many requests may fail. What has become of them is told also when the test ends before its time.
func (s shop) start(mayFail int) *traffic {
	s.t.Helper()
	tr := &traffic{shop: s, running: map[string]*lab.Running[report.Requests]{}, mayFail: mayFail, begun: time.Now()}
	agent := s.agent(buyer)
	for called, how := range flows {
		s.reachable(agent, called)
		running, err := agent.StartRequests(s.t.Context(), s.url(called), append([]string{"--timeout", answerLimit}, how...)...)
		must(s.t, err)
		tr.running[called] = running
	}
	var err error
	tr.bought, err = s.bought(s.t.Context())
	must(s.t, err)
	if mayFail == 0 {
		tr.evidence = watch(s, tr.running)
	}
	s.t.Cleanup(func() {
		if !tr.judged {
			tr.stop("until the test ended")
		}
	})
	return tr
}

// stop ends the traffic and judges it.
func (tr *traffic) stop(what string) {
	tr.judged = true
	t, ctx := tr.shop.t, context.WithoutCancel(tr.shop.t.Context())
	t.Helper()
	total, failed := 0, 0
	var failures []string
	for called, running := range tr.running {
		result, err := running.Stop(ctx)
		must(t, err)
		total, failed = total+result.Requests, failed+result.Requests-result.Outcomes["200"]-result.Outcomes[report.Starved]
		t.Logf("%s: %d requests to %s, %v %v, late by up to %s, %d left out while the machine was too busy",
			what, result.Requests, called, result.Outcomes, result.Errors, result.Late, result.LeftOut)
		for _, f := range result.Failures {
			failures = append(failures, describe(called, f))
		}
	}
	bought, err := tr.shop.bought(ctx)
	must(t, err)
	requests := bought.Requests - tr.bought.Requests
	lost := requests - (bought.Outcomes["200"] - tr.bought.Outcomes["200"])
	t.Logf("%s: %d requests of the bookbuyer, of which %d failed: before %v, now %v", what, requests, lost, tr.bought.Outcomes, bought.Outcomes)
	total, failed = total+requests, failed+lost
	took := time.Since(tr.begun)
	t.Logf("%s: %d of %d requests failed, %.0f a second for %.0f s", what, failed, total, float64(total)/took.Seconds(), took.Seconds())
	seen := tr.evidence.end()
	if lost > 0 {
		seen += tr.shop.notBought(ctx, tr.begun)
	}
	if failed > tr.mayFail {
		t.Errorf("%s: %d of %d requests failed, and %d may:\n%s\n%s", what, failed, total, tr.mayFail, strings.Join(failures, "\n"), seen)
	}
	if total < 500 {
		t.Errorf("%s: %d requests are too few to say anything", what, total)
	}
}

func describe(called string, f report.Failure) string {
	return fmt.Sprintf("%s %s to %s: %s after %s, of which the client had no processor for %s: %s",
		f.At.UTC().Format("15:04:05.000"), f.ID, called, f.Outcome, f.Took, f.Stalled, f.Said)
}

// call sends some requests from one app to another, and wants them all answered.
func (s shop) call(t *testing.T, from, to string) {
	t.Helper()
	agent := s.agent(from)
	s.reachable(agent, to)
	result, err := agent.Requests(t.Context(), s.url(to), "--count", "50", "--rate", "50", "--timeout", answerLimit)
	must(t, err)
	if result.Outcomes["200"] != 50 {
		t.Errorf("of 50 requests from %s to %s: %v %v", from, to, result.Outcomes, result.Failures)
	}
}

// reachable waits until a request is answered: a policy may not have arrived yet.
func (s shop) reachable(agent *lab.Agent, called string) {
	s.t.Helper()
	must(s.t, lab.Until(s.t.Context(), 20*time.Second, "requests to "+called+" are answered", func(ctx context.Context) (bool, string, error) {
		result, err := agent.Requests(ctx, s.url(called))
		if err != nil {
			return false, "", err
		}
		return result.Outcomes["200"] == 1, fmt.Sprint(result.Outcomes, result.Errors), nil
	}))
}
