package quarantine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

func ref(name string) entity.Ref {
	return entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "a", Name: name}}
}

// newHarnessOf returns a harness of one proxy and policies, the oldest first. The resource differs without any of the causes.
func newHarnessOf(causes []string, policies ...string) *harness {
	h := newHarness(1)
	h.policies = nil
	for _, name := range policies {
		h.policies = append(h.policies, ref(name))
		h.change(ref(name))
	}
	h.hashWithout = func(excluded map[entity.Ref]struct{}) (resource.Version, bool) {
		for _, cause := range causes {
			if _, found := excluded[ref(cause)]; found {
				return resource.Reserved(1), true
			}
		}
		return resource.Version{}, true
	}
	return h
}

// quarantined are the names of the policies that are published.
func (h *harness) quarantined() (names []string) {
	for _, r := range h.Rejections() {
		names = append(names, r.Policy.Name.Name)
	}
	return names
}

// TestCauseIsQuarantined checks what is published about the newest policy that is the cause.
func TestCauseIsQuarantined(t *testing.T) {
	h := newHarnessOf([]string{"first", "second"}, "first", "second", "third")
	calls := 0
	h.OnChange(func() { calls++ })
	if h.Rejections() != nil || h.Quarantine.Policies(scope.Key{}) != nil {
		t.Error("something is quarantined at first")
	}
	h.HandleNACK(scope.Key{}, RejectedResource{Type: resourcetype.Routes, Name: "r", Message: "no"}, Proxy{Pod: entity.Name{Namespace: "a", Name: "one"}})
	want := []Rejection{{Policy: ref("second"), Proxy: entity.Name{Namespace: "a", Name: "one"}, Type: resourcetype.Routes, Resource: "r", Message: "no", At: h.now}}
	if diff := cmp.Diff(want, h.Rejections()); diff != "" || calls != 1 || h.rebuilt != 1 {
		t.Errorf("%d calls, and %d scopes are built (-want +got):\n%s", calls, h.rebuilt, diff)
	}
	if _, found := h.Quarantine.Policies(scope.Key{})[ref("second")]; !found || len(h.Quarantine.Policies(scope.Key{})) != 1 {
		t.Errorf("the scope is built without %v", h.Quarantine.Policies(scope.Key{}))
	}
	if got := testutil.ToFloat64(h.metrics.quarantined); got != 1 {
		t.Errorf("the metric has %v policies, want 1", got)
	}
	if got := testutil.ToFloat64(h.metrics.rejections.WithLabelValues(string(entity.KindTrafficTarget))); got != 1 {
		t.Errorf("the metric has %v rejections, want 1", got)
	}
	registry := prometheus.NewRegistry()
	newMetrics(registry)
	if got, err := testutil.GatherAndCount(registry, "osm_policy_quarantined_count"); got != 1 || err != nil {
		t.Errorf("%d metrics are registered, %v", got, err)
	}
	if !h.RecordChange(catalog.Change{Ref: ref("second"), Entry: &catalog.TrafficTarget{}}) || h.RecordChange(catalog.Change{Ref: ref("third")}) {
		t.Error("only a change of a quarantined policy releases one")
	}
	if h.Publish(); len(h.Rejections()) > 0 || calls != 2 {
		t.Errorf("after a change, %v are quarantined", h.quarantined())
	}
}

// TestCauseOfAMissingResource checks for which kinds of policies a resource that does not exist without one shows that it is the cause.
func TestCauseOfAMissingResource(t *testing.T) {
	for kind, want := range map[entity.Kind]bool{entity.KindTrafficTarget: false, entity.KindTrafficSplit: true, entity.KindBackendTLSPolicy: true} {
		h := newHarnessOf(nil)
		policy := entity.Ref{Kind: kind, Name: entity.Name{Namespace: "a", Name: "p"}}
		h.change(policy)
		h.policies = []entity.Ref{policy}
		h.hashWithout = func(map[entity.Ref]struct{}) (resource.Version, bool) { return resource.Reserved(1), false }
		if h.reject("r", "one"); (len(h.Rejections()) == 1) != want {
			t.Errorf("a %s is quarantined is %t", kind, !want)
		}
	}
}

// TestNoCause checks that a resource without a cause is examined again after a newer change, and that its policies return.
func TestNoCause(t *testing.T) {
	h := newHarnessOf([]string{"b"}, "a", "b", "c")
	trials := 0
	h.trial = func() { trials++ }
	h.reject("other", "one")
	h.fire(examineInterval)
	h.hashWithout = nil
	h.reject("r", "one")
	h.fire(examineInterval)
	if diff := cmp.Diff([]string{"b"}, h.quarantined()); diff != "" || h.scopes[scope.Key{}].unresolved[resourceID{resourcetype.Routes, "r"}].ref != ref("c") {
		t.Errorf("another resource releases policies (-want +got):\n%s", diff)
	}
	before := trials
	h.reject("r", "one")
	if h.fire(examineInterval); trials != before {
		t.Errorf("%d trials without a newer policy", trials-before)
	}
	h.change(ref("a"))
	h.reject("r", "one")
	if h.fire(examineInterval); trials == before {
		t.Error("no trial after a newer change")
	}
	rebuilt, log := h.rebuilt, ""
	h.config.Log = funcr.New(func(_, line string) { log += line }, funcr.Options{})
	if h.reject("third", "one"); log != "" {
		t.Errorf("a resource without policies releases some: %s", log)
	}
	h.fire(examineInterval)
	h.Add(Rejection{Policy: ref("z"), Type: resourcetype.Clusters, Resource: "other"})
	h.reject("other", "one")
	if h.fire(examineInterval); !slices.Equal(h.quarantined(), []string{"z"}) || h.rebuilt != rebuilt+1 {
		t.Errorf("%v are quarantined for a resource that is rejected without them, and %d scopes are built", h.quarantined(), h.rebuilt-rebuilt)
	}
	if !strings.Contains(log, "Released quarantined policies") {
		t.Errorf("the log has %q", log)
	}
	if _, unknown := h.RecordChange(catalog.Change{Ref: ref("c")}), h.newestFirst(h.policies); len(unknown) != 2 || unknown[0].ref != ref("a") {
		t.Errorf("after a removal, the newest are %v", unknown)
	}
}

// TestStartup checks that policies which existed at the start are not the cause before the startup has ended, unlike newer ones.
func TestStartup(t *testing.T) {
	for name, test := range map[string]struct {
		causes []string
		atOnce []string
	}{"a policy that existed": {[]string{"old"}, nil}, "a newer one": {[]string{"old", "new"}, []string{"new"}}} {
		h := newHarness(1)
		h.synced = false
		h.change(ref("old"))
		h.MarkSynced(h.now.Add(time.Minute))
		h.change(ref("new"))
		h.policies, h.hashWithout = []entity.Ref{ref("old"), ref("new")}, newHarnessOf(test.causes).hashWithout
		h.reject("r", "one")
		if got := h.quarantined(); !slices.Equal(got, test.atOnce) {
			t.Errorf("%s: %v are quarantined at once, want %v", name, got, test.atOnce)
		}
		if h.fire(59 * time.Second); len(h.quarantined()) != len(test.atOnce) {
			t.Errorf("%s: %v are quarantined before the end", name, h.quarantined())
		}
		if h.fire(time.Second); len(h.quarantined()) != 1 {
			t.Errorf("%s: %v are quarantined after the end", name, h.quarantined())
		}
	}
}

// TestTrialsAreBounded checks how many policies are tried for one resource. Those that are quarantined do not count.
func TestTrialsAreBounded(t *testing.T) {
	for position, want := range map[int]int{maxTrials - 1: 1, maxTrials: 0} {
		var policies []string
		for i := range 2 * maxTrials {
			policies = append(policies, fmt.Sprintf("%02d", i))
		}
		cause := policies[len(policies)-1-position]
		h := newHarnessOf([]string{cause}, policies...)
		if h.reject("r", "one"); len(h.quarantined()) != want {
			t.Errorf("the cause at position %d: %v are quarantined", position, h.quarantined())
		}
	}
	h, trials := newHarnessOf([]string{"b"}, "b", "c"), 0
	h.trial = func() { trials++ }
	h.Add(Rejection{Policy: ref("c")})
	if h.reject("r", "one"); !slices.Equal(h.quarantined(), []string{"b", "c"}) || trials != 1 {
		t.Errorf("%v are quarantined after %d trials, want the next one too", h.quarantined(), trials)
	}
}

// TestRejectionsAreSorted checks the order, and that unused ones are dropped if there are many.
func TestRejectionsAreSorted(t *testing.T) {
	h := newHarness(1)
	key := func(account, services string) scope.Key {
		return scope.Key{Identity: identity.ServiceAccount{Namespace: "a", Name: account}, Services: services}
	}
	var want []Rejection
	for _, policy := range []string{"p", "q"} {
		for _, account := range []string{"x", "y"} {
			for _, services := range []string{"a/s", "a/t"} {
				want = append(want, Rejection{Policy: ref(policy), Scope: key(account, services)})
			}
		}
	}
	for _, r := range slices.Backward(want) {
		h.Add(r)
	}
	h.Publish()
	if diff := cmp.Diff(want, h.Rejections()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.CloseScope(key("x", "a/s"))
	if h.Publish(); len(h.Rejections()) != len(want) {
		t.Errorf("%d rejections, want %d: a few may be needed again", len(h.Rejections()), len(want))
	}
	for i := range maxUnusedRejections - len(want) {
		h.Add(Rejection{Policy: ref(fmt.Sprint(i)), Scope: key("z", "")})
	}
	h.CloseScope(key("x", "a/s"))
	if h.Publish(); len(h.Rejections()) != maxUnusedRejections {
		t.Errorf("%d rejections at the limit", len(h.Rejections()))
	}
	h.Add(Rejection{Policy: ref("last"), Scope: key("z", "")})
	h.scopes[key("x", "a/s")].unresolved[resourceID{}] = policyRecord{}
	h.CloseScope(key("x", "a/s"))
	if h.Publish(); len(h.Rejections()) != maxUnusedRejections-1 || len(h.Quarantine.Policies(key("x", "a/s"))) > 0 || len(h.Quarantine.Policies(key("x", "a/t"))) != 2 {
		t.Errorf("%d rejections beyond the limit", len(h.Rejections()))
	}
}
