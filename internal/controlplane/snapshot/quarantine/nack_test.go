package quarantine

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// fakeScopes has one scope whose resources are made from one policy.
type fakeScopes struct {
	proxies  int
	accepted int
	rebuilt  int
	outdated map[string]bool
	// policies are those of the scope, and trial is called for each trial.
	policies []entity.Ref
	trial    func()
	// hashWithout returns the hash of the resource without policies; nil if it is always the same.
	hashWithout func(excluded map[entity.Ref]struct{}) (resource.Version, bool)
}

var policy = entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "a", Name: "t"}}

func (f *fakeScopes) IsCurrent(_ scope.Key, r RejectedResource) bool { return !f.outdated[r.Name] }

func (f *fakeScopes) Answers(_ scope.Key, rejecting []Proxy) Answers {
	return Answers{Rejected: len(rejecting), Accepted: f.accepted, Pending: f.proxies - f.accepted - len(rejecting)}
}

func (f *fakeScopes) Policies(scope.Key) []entity.Ref { return f.policies }

func (f *fakeScopes) HashWithout(_ scope.Key, excluded map[entity.Ref]struct{}, _ resourcetype.Type, _ string) (resource.Version, bool) {
	f.trial()
	if f.hashWithout != nil {
		return f.hashWithout(excluded)
	}
	return resource.Version{}, true // that of reject
}

func (f *fakeScopes) Rebuild(scope.Key) { f.rebuilt++ }

// harness is a Quarantine with a clock and timers.
type harness struct {
	*Quarantine
	*fakeScopes
	now    time.Time
	timers []func()
	// after is the delay of the last timer.
	after time.Duration
}

func newHarness(proxies int) *harness {
	h := &harness{fakeScopes: &fakeScopes{proxies: proxies, outdated: map[string]bool{}, policies: []entity.Ref{policy}, trial: func() {}}, now: time.Unix(0, 0)}
	h.Quarantine = New(Config{
		Scopes: h.fakeScopes, Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: func() time.Time { return h.now },
		RunAfter: func(after time.Duration, f func()) { h.timers, h.after = append(h.timers, f), after },
	})
	h.change(policy)
	h.MarkSynced(h.now)
	return h
}

func (h *harness) change(policy entity.Ref) {
	h.RecordChange(catalog.Change{Ref: policy, Entry: &catalog.TrafficTarget{Name: policy.Name}})
}

func (h *harness) reject(resourceName, proxy string) {
	h.HandleNACK(scope.Key{}, RejectedResource{Type: resourcetype.Routes, Name: resourceName}, Proxy{Pod: entity.Name{Namespace: "a", Name: proxy}})
}

// fire lets time pass and runs the timers.
func (h *harness) fire(after time.Duration) {
	h.now = h.now.Add(after)
	timers := h.timers
	h.timers = nil
	for _, f := range timers {
		f()
	}
}

func (h *harness) waiting() int {
	if s := h.scopes[scope.Key{}]; s != nil {
		return len(s.pending)
	}
	return 0
}

// TestThreat51WaitingNACKsAreBounded rejects more resources than are recorded, as a compromised proxy could.
func TestThreat51WaitingNACKsAreBounded(t *testing.T) {
	h := newHarness(10)
	for i := range 1000 {
		h.reject(fmt.Sprint("r", i), "one")
		h.reject(fmt.Sprint("r", i), "one")
	}
	if n := h.waiting(); n != 400 {
		t.Errorf("%d NACKs wait, want 400", n)
	}
	for i := range 1000 {
		h.outdated[fmt.Sprint("r", i)] = true
	}
	h.fire(time.Second)
	if n := h.waiting(); n != 0 {
		t.Errorf("%d NACKs wait for resources that are outdated", n)
	}
}

// TestMajorityDecides counts the examinations for proxies that reject a resource among those of a scope. An examination
// without a culprit records the resource as unresolved.
func TestMajorityDecides(t *testing.T) {
	for _, test := range []struct {
		proxies, accepted, rejecting int
		atOnce, afterTimeout         bool
	}{
		{proxies: 1, rejecting: 1, atOnce: true, afterTimeout: true},
		{proxies: 2, rejecting: 1, afterTimeout: true}, // the other one does not answer
		{proxies: 2, rejecting: 1, accepted: 1},
		{proxies: 2, rejecting: 2, atOnce: true, afterTimeout: true},
		{proxies: 3, rejecting: 1, accepted: 2},
		{proxies: 3, rejecting: 2, accepted: 1, atOnce: true, afterTimeout: true},
		{proxies: 10, rejecting: 3, accepted: 2, afterTimeout: true},
		{proxies: 10, rejecting: 3, accepted: 3},
		{proxies: 10, rejecting: 1, afterTimeout: true}, // nobody else answers
	} {
		h := newHarness(test.proxies)
		h.accepted = test.accepted
		for i := range test.rejecting {
			h.reject("r", fmt.Sprint("pod", i))
		}
		examined := func() bool { return len(h.scopes[scope.Key{}].unresolved) > 0 }
		if examined() != test.atOnce {
			t.Errorf("%+v: examined at once: %t", test, examined())
		}
		h.fire(time.Second)
		if examined() != test.atOnce {
			t.Errorf("%+v: examined before the others could answer: %t", test, examined())
		}
		h.fire(answerTimeout)
		if examined() != test.afterTimeout {
			t.Errorf("%+v: examined after the others could answer: %t", test, examined())
		}
	}
}

// TestMinorityGrows lets more proxies reject a resource that a minority had rejected.
func TestMinorityGrows(t *testing.T) {
	h := newHarness(3)
	h.accepted = 2
	h.reject("r", "one")
	h.fire(answerTimeout)
	if len(h.scopes[scope.Key{}].unresolved) > 0 {
		t.Fatal("one of three decides")
	}
	h.accepted = 1
	h.reject("r", "two")
	if len(h.scopes[scope.Key{}].unresolved) == 0 {
		t.Error("two of three do not decide")
	}
}

// TestSlowTrialsPause checks that an examination with slow trials pauses, tries each policy once, and one that has changed again.
func TestSlowTrialsPause(t *testing.T) {
	h := newHarness(1)
	for i := range 9 {
		other := entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "a", Name: fmt.Sprint("t", i)}}
		h.policies = append(h.policies, other)
		h.change(other)
	}
	trials := 0
	h.trial = func() {
		trials++
		h.now = h.now.Add(maxExamination / 2)
	}
	h.reject("r", "one")
	if trials != 2 {
		t.Errorf("%d trials without a pause, want 2", trials)
	}
	h.fire(examineInterval)
	if trials != 4 {
		t.Errorf("%d trials after a pause, want 4", trials)
	}
	h.change(h.policies[9])
	for range 10 {
		h.fire(examineInterval)
	}
	if unresolved := h.scopes[scope.Key{}].unresolved; trials != 4+1+6 || len(unresolved) != 1 {
		t.Errorf("%d trials after a change, want 7; %d resources are unresolved", trials-4, len(unresolved))
	}
}
