package quarantine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// rejectVersion rejects the version of a resource without some policies.
func (h *harness) rejectVersion(without uint64) {
	h.HandleNACK(scope.Key{}, RejectedResource{Type: resourcetype.Routes, Name: "r", Hash: resource.Reserved(without)}, Proxy{Pod: entity.Name{Namespace: "a", Name: "one"}})
}

// newTrialHarness quarantines the policies b and a because of one resource, whose version is the number of quarantined policies. The proxy accepts it then.
func newTrialHarness(t *testing.T) (h *harness, log *[]string) {
	t.Helper()
	h = newHarnessOf(nil, "a", "b")
	log = &[]string{}
	h.config.Log = funcr.New(func(_, line string) { *log = append(*log, line) }, funcr.Options{})
	h.hashWithout = func(excluded map[entity.Ref]struct{}) (resource.Version, bool) {
		return resource.Reserved(uint64(len(excluded))), true
	}
	h.rejectVersion(0)
	h.fire(examineInterval)
	h.rejectVersion(1)
	if got := h.quarantined(); !slices.Equal(got, []string{"a", "b"}) || len(*log) != 2 || !strings.Contains((*log)[0], `"policy"="a/b"`) {
		t.Fatalf("%v are quarantined: %v", got, *log)
	}
	h.accepted = 1
	h.fire(examineInterval)
	return h, log
}

// onTrial is the policy that has returned; empty for none.
func (h *harness) onTrial() string {
	if s := h.scopes[scope.Key{}]; s != nil && s.trial != nil {
		return s.trial.Policy.Name.Name
	}
	return ""
}

// TestInnocentPolicyReturns checks that a policy without which the resource is rejected too returns, and the last one does not.
func TestInnocentPolicyReturns(t *testing.T) {
	h, log := newTrialHarness(t)
	if h.fire(trialInterval); h.onTrial() != "b" || len(h.Quarantine.Policies(scope.Key{})) != 1 || len(h.quarantined()) != 2 || h.rebuilt != 3 {
		t.Fatalf("on trial is %q, and %v are quarantined", h.onTrial(), h.quarantined())
	}
	if h.fire(answerTimeout); h.onTrial() != "" || !slices.Equal(h.quarantined(), []string{"a"}) || len(*log) != 3 {
		t.Errorf("on trial is %q, and %v are quarantined: %v", h.onTrial(), h.quarantined(), *log)
	}
	if len(h.timers) > 0 {
		t.Errorf("%d timers without a suspect", len(h.timers))
	}
	if h.fire(answerTimeout); h.onTrial() != "" {
		t.Errorf("%q is on trial", h.onTrial())
	}
}

// TestGuiltyPolicyStays checks that a policy on trial is quarantined again if the resource is rejected, and tried again only after a change at that time.
func TestGuiltyPolicyStays(t *testing.T) {
	for name, test := range map[string]struct {
		change bool
		again  string
	}{"nothing else has changed": {false, ""}, "something else has changed": {true, "b"}} {
		h, _ := newTrialHarness(t)
		h.fire(trialInterval)
		if test.change {
			h.change(ref("c"))
		}
		rebuilt := h.rebuilt
		h.accepted = 0
		if h.rejectVersion(1); h.onTrial() != "" || !slices.Equal(h.quarantined(), []string{"a", "b"}) || h.rebuilt != rebuilt+1 {
			t.Errorf("%s: on trial is %q, and %v are quarantined", name, h.onTrial(), h.quarantined())
		}
		h.accepted = 1
		h.fire(examineInterval)
		if h.fire(trialInterval); h.onTrial() != test.again {
			t.Errorf("%s: on trial is %q, want %q", name, h.onTrial(), test.again)
		}
	}
}

// TestOtherNACKsEndNoTrial checks that a NACK which the policy on trial does not cause leaves it on trial, and that another list is not published before its end.
func TestOtherNACKsEndNoTrial(t *testing.T) {
	h, _ := newTrialHarness(t)
	h.fire(trialInterval)
	if h.Publish(); !slices.Equal(h.quarantined(), []string{"a"}) {
		t.Fatalf("during a trial, %v are quarantined", h.quarantined())
	}
	differs := h.hashWithout
	h.accepted, h.hashWithout = 0, nil
	if h.reject("other", "one"); h.onTrial() != "b" {
		t.Errorf("on trial is %q after a NACK with another cause", h.onTrial())
	}
	h.hashWithout = differs
	h.fire(examineInterval)
	if h.rejectVersion(1); h.onTrial() != "" || !slices.Equal(h.quarantined(), []string{"a", "b"}) {
		t.Errorf("on trial is %q, and %v are quarantined", h.onTrial(), h.quarantined())
	}
}

// TestChangedSuspectIsNotTried checks that a policy which is not quarantined any more has no trial, and that nothing is due without a suspect.
func TestChangedSuspectIsNotTried(t *testing.T) {
	h, _ := newTrialHarness(t)
	h.RecordChange(catalog.Change{Ref: ref("b"), Entry: &catalog.TrafficTarget{}})
	h.accepted = 0
	if h.fire(trialInterval); h.scopes[scope.Key{}].trial != nil || len(h.timers) > 0 {
		t.Errorf("%+v is on trial, and %d timers are due", h.scopes[scope.Key{}].trial, len(h.timers))
	}
}

// TestChangeEndsATrial checks that only a change of the policy itself ends its trial, and that a scope stays known during the trial.
func TestChangeEndsATrial(t *testing.T) {
	h, _ := newTrialHarness(t)
	h.fire(trialInterval)
	h.RecordChange(catalog.Change{Ref: ref("a"), Entry: &catalog.TrafficTarget{}})
	if h.CloseScope(scope.Key{}); h.onTrial() != "b" {
		t.Errorf("on trial is %q after a change of another policy", h.onTrial())
	}
	if !h.RecordChange(catalog.Change{Ref: ref("b"), Entry: &catalog.TrafficTarget{}}) || h.onTrial() != "" {
		t.Error("a change of the policy does not end its trial")
	}
	h.fire(answerTimeout)
	if h.CloseScope(scope.Key{}); len(h.scopes) > 0 {
		t.Error("the scope is known without a trial")
	}
	h, _ = newTrialHarness(t)
	h.fire(trialInterval)
	h.RecordChange(catalog.Change{Ref: ref("a"), Entry: &catalog.TrafficTarget{}})
	if h.fire(answerTimeout); len(h.scopes) > 0 {
		t.Error("the scope is known after its trial")
	}
}

// TestTrialsAwaitProxies checks when the proxies accept what they have.
func TestTrialsAwaitProxies(t *testing.T) {
	h := newHarness(0)
	for name, test := range map[string]struct {
		accepted, pending int
		since             time.Duration
		trial, paused     bool
		pendingNACK       *nack
		want              bool
		pause             time.Duration
	}{
		"no proxy":                {pause: idleInterval},
		"none has answered":       {pending: 1, pause: trialInterval},
		"all have answered":       {accepted: 1, want: true},
		"most, for long":          {accepted: 1, pending: 1, since: answerTimeout, trial: true, want: true},
		"most, for a moment":      {accepted: 1, pending: 1, since: answerTimeout - 1, trial: true, pause: trialInterval},
		"few, for long":           {accepted: 1, pending: 2, since: answerTimeout, trial: true, pause: trialInterval},
		"most, without a trial":   {accepted: 1, pending: 1, want: true},
		"all, for a moment":       {accepted: 1, trial: true, want: true},
		"a resource is examined":  {accepted: 1, paused: true, pause: trialInterval},
		"a resource waits":        {accepted: 1, pendingNACK: &nack{}, pause: trialInterval},
		"a resource of few waits": {accepted: 1, pendingNACK: &nack{minority: true}, want: true},
	} {
		h.proxies, h.accepted = test.accepted+test.pending, test.accepted
		s := &scopeQuarantine{paused: test.paused}
		if test.trial {
			s.trial = &trial{since: h.now.Add(-test.since)}
		}
		if test.pendingNACK != nil {
			s.pending = []*nack{test.pendingNACK}
		}
		if accepted, pause := h.isAccepted(scope.Key{}, s); accepted != test.want || pause != test.pause {
			t.Errorf("%s: accepted is %t after %s", name, accepted, pause)
		}
	}
}

// TestSuspects checks which policy may be innocent: the last one of each resource is not.
func TestSuspects(t *testing.T) {
	of := func(policy, name string) suspect { return suspect{ref(policy), resourceID{resourcetype.Routes, name}} }
	for name, test := range map[string]struct {
		suspects []suspect
		want     int
	}{
		"none": {nil, -1}, "one": {[]suspect{of("a", "r")}, -1}, "two": {[]suspect{of("a", "r"), of("b", "r")}, 0}, "two resources": {[]suspect{of("a", "r"), of("b", "s")}, -1},
		"two of the second": {[]suspect{of("a", "r"), of("b", "s"), of("c", "s")}, 1},
	} {
		s := &scopeQuarantine{suspects: test.suspects}
		if got := s.nextSuspect(); got != test.want || s.hasInnocent() != (test.want >= 0) {
			t.Errorf("%s: the next one is %d, want %d", name, got, test.want)
		}
	}
}

// TestTrialsOfForgottenScopes checks that several calls make one timer, and that it does nothing for another scope with the key.
func TestTrialsOfForgottenScopes(t *testing.T) {
	h, _ := newTrialHarness(t)
	s := h.scopes[scope.Key{}]
	h.timers, s.trying = nil, false
	for range 2 {
		h.continueTrialsLater(scope.Key{}, s, trialInterval)
	}
	if len(h.timers) != 1 {
		t.Errorf("%d timers, want 1", len(h.timers))
	}
	delete(h.scopes, scope.Key{})
	if h.fire(trialInterval); s.trial != nil || s.trying {
		t.Error("a forgotten scope has a trial")
	}
	h, _ = newTrialHarness(t)
	h.accepted, h.proxies = 0, 0
	if h.fire(trialInterval); h.after != idleInterval || h.onTrial() != "" {
		t.Errorf("without proxies the next look is after %s", h.after)
	}
}
