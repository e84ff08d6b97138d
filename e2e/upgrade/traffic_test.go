package upgrade

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

// rates are how many requests a second the buyer sends to whom.
var rates = map[string]string{store: "80", warehouse: "40"}

// traffic is what the buyer sends while something happens to the mesh.
type traffic struct {
	shop    shop
	running map[string]*lab.Running[report.Requests]
}

// start begins to send.
func (s shop) start() traffic {
	s.t.Helper()
	tr := traffic{s, map[string]*lab.Running[report.Requests]{}}
	agent := s.agent(buyer)
	for called, rate := range rates {
		s.reachable(agent, called)
		running, err := agent.StartRequests(s.t.Context(), s.url(called), "--rate", rate)
		must(s.t, err)
		tr.running[called] = running
	}
	return tr
}

// stop ends the traffic. Of all requests at most so many may have failed.
func (tr traffic) stop(what string, mayFail int) {
	t := tr.shop.t
	t.Helper()
	total, failed := 0, 0
	for called, running := range tr.running {
		result, err := running.Stop(t.Context())
		must(t, err)
		bad := result.Requests - result.Outcomes["200"]
		total, failed = total+result.Requests, failed+bad
		t.Logf("%s: %d requests to %s, %v %v, late by up to %s", what, result.Requests, called, result.Outcomes, result.Errors, result.Late)
	}
	t.Logf("%s: %d of %d requests failed", what, failed, total)
	if failed > mayFail {
		t.Errorf("%s: %d of %d requests failed, and %d may", what, failed, total, mayFail)
	}
	if total < 500 {
		t.Errorf("%s: %d requests are too few to say anything", what, total)
	}
}

// call sends some requests from one app to another, and wants them all answered.
func (s shop) call(t *testing.T, from, to string) {
	t.Helper()
	agent := s.agent(from)
	s.reachable(agent, to)
	result, err := agent.Requests(t.Context(), s.url(to), "--count", "50", "--rate", "50")
	must(t, err)
	if result.Outcomes["200"] != 50 {
		t.Errorf("of 50 requests from %s to %s: %v %v", from, to, result.Outcomes, result.Errors)
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
