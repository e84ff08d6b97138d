package snapshot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// contains returns a function that reports whether a resource contains a text.
func contains(text string) func(*discovery.Resource) bool {
	return func(res *discovery.Resource) bool {
		return strings.Contains(string(res.GetResource().GetValue()), text)
	}
}

// inboundRoutes is the inbound route configuration of a/server.
const inboundRoutes = "rds-inbound.80|a/server"

// newQuarantineHarness returns a mesh with a synced proxy of the server that rejects "bad".
func newQuarantineHarness(t *testing.T) (*harness, *fakeProxy) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, server)
	s.rejectIf = contains("bad")
	s.open(t)
	s.sync(t)
	return h, s
}

// hasInboundRoute reports whether the snapshot's inbound routes contain a text.
func (p *fakeProxy) hasInboundRoute(text string) bool {
	c := contentOf(p.stream, resourcetype.Routes, inboundRoutes)
	return c != nil && strings.Contains(string(c.Encoded()), text)
}

// TestQuarantine_NewestPolicy checks that a bad policy is quarantined until it is corrected, while other policies and later changes
// are pushed.
func TestQuarantine_NewestPolicy(t *testing.T) {
	h, s := newQuarantineHarness(t)
	calls := 0
	h.store.OnRejections(func() { calls++ })
	client := meshtest.SA("a", "client")
	server := meshtest.SA("a", "server")
	h.apply(meshtest.Group("a", "more", "/bad"),
		meshtest.Target("u", server, []catalog.TargetRule{meshtest.HTTP("more")}, client))
	h.apply(meshtest.Group("a", "more", "/bad"))
	s.sync(t)
	want := []string{`TrafficTarget a/u by a/server: RDS ` + inboundRoutes + ` "no"`}
	if diff := cmp.Diff(want, h.rejections()); diff != "" {
		t.Fatalf("quarantined (-want +got):\n%s", diff)
	}
	if s.hasInboundRoute("bad") || !s.hasInboundRoute("/x") || calls != 1 {
		t.Errorf("bad policy pushed: %t; good policy pushed: %t; OnRejections called %d times", s.hasInboundRoute("bad"), s.hasInboundRoute("/x"), calls)
	}
	h.apply(meshtest.Group("a", "routes", "/y"))
	s.sync(t)
	if !s.hasInboundRoute("/y") || len(h.rejections()) != 1 {
		t.Errorf("later change pushed: %t; quarantined %v", s.hasInboundRoute("/y"), h.rejections())
	}
	// The scope does not depend on the quarantined target any more. Only a change of the target itself releases it.
	h.apply(meshtest.Group("a", "more", "/good"))
	h.apply(meshtest.Target("u", server, []catalog.TargetRule{meshtest.HTTP("more"), meshtest.HTTP("routes")}, client))
	s.sync(t)
	if len(h.rejections()) != 0 || !s.hasInboundRoute("/good") {
		t.Errorf("after the correction: quarantined %v, pushed %t", h.rejections(), s.hasInboundRoute("/good"))
	}
}

// TestQuarantine_EditedPolicy edits a good HTTPRouteGroup, which makes it the newest policy.
func TestQuarantine_EditedPolicy(t *testing.T) {
	h, s := newQuarantineHarness(t)
	h.apply(meshtest.Group("a", "routes", "/bad"))
	s.sync(t)
	want := []string{`HTTPRouteGroup a/routes by a/server: RDS ` + inboundRoutes + ` "no"`}
	if diff := cmp.Diff(want, h.rejections()); diff != "" {
		t.Fatalf("quarantined (-want +got):\n%s", diff)
	}
	h.apply(meshtest.Group("a", "routes", "/z"))
	s.sync(t)
	if len(h.rejections()) != 0 || !s.hasInboundRoute("/z") {
		t.Errorf("after the correction: quarantined %v", h.rejections())
	}
	h.apply(meshtest.Group("a", "routes", "/bad"))
	s.sync(t)
	h.remove(meshtest.Group("a", "routes"))
	if len(h.rejections()) != 0 {
		t.Errorf("after the deletion: quarantined %v", h.rejections())
	}
}

// TestQuarantine_SurvivesReconnect checks that a proxy is not sent rejected configuration again.
func TestQuarantine_SurvivesReconnect(t *testing.T) {
	h, s := newQuarantineHarness(t)
	h.apply(meshtest.Group("a", "routes", "/bad"))
	s.sync(t)
	s.close()
	h.advance(idleTime)
	if len(h.store.scopes) != 0 {
		t.Fatal("the scope still exists")
	}
	s.open(t)
	s.log = nil
	s.sync(t)
	if len(h.rejections()) != 1 || strings.Contains(strings.Join(s.log, "\n"), "NACK") {
		t.Errorf("quarantined %v; %v", h.rejections(), s.log)
	}
}

// TestQuarantine_OnlyScopeOfTheNACK checks that a NACK does not affect another workload with the same policy.
func TestQuarantine_OnlyScopeOfTheNACK(t *testing.T) {
	h, rejecting := newQuarantineHarness(t)
	otherPod := meshtest.Pod("a", "other", "other", "other", "10.0.0.8")
	h.apply(otherPod, accountOf(otherPod), meshtest.Service("a", "other", "other", "10.96.0.9", 80, inventory.ProtocolHTTP),
		meshtest.Target("v", otherPod.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, meshtest.SA("a", "client")))
	other := newFakeProxy(h, otherPod)
	other.open(t)
	other.sync(t)
	rejecting.rejectIf = contains("/shared")
	h.apply(meshtest.Group("a", "routes", "/shared"))
	rejecting.sync(t)
	other.sync(t)
	if len(h.rejections()) != 1 || rejecting.hasInboundRoute("/shared") {
		t.Fatalf("quarantined %v", h.rejections())
	}
	c := contentOf(other.stream, resourcetype.Routes, "rds-inbound.80|a/other")
	if !strings.Contains(string(c.Encoded()), "/shared") {
		t.Error("the policy is quarantined for a workload that did not reject it")
	}
}

// TestOneProxyCannotTakeAPolicyFromItsSiblings rejects a grant in one of three equal pods.
func TestOneProxyCannotTakeAPolicyFromItsSiblings(t *testing.T) {
	h, rejecting := newQuarantineHarness(t)
	var siblings []*fakeProxy
	for i := range 2 {
		pod := meshtest.Pod("a", fmt.Sprint("server-", i), "server", "server", fmt.Sprint("10.0.1.", i+1))
		h.apply(pod, accountOf(pod))
		sibling := newFakeProxy(h, pod)
		sibling.open(t)
		sibling.sync(t)
		siblings = append(siblings, sibling)
	}
	rejecting.rejectIf = contains("/shared")
	h.apply(meshtest.Group("a", "routes", "/shared"))
	rejecting.sync(t)
	for _, sibling := range siblings {
		sibling.sync(t)
	}
	h.fireTimers()
	if len(h.rejections()) != 0 || !siblings[0].hasInboundRoute("/shared") {
		t.Fatalf("one of three proxies quarantined %v", h.rejections())
	}
	if got := firstProxy(rejecting).Types[resourcetype.Routes].Rejection; got != "no" {
		t.Errorf("the rejection of the proxy is %q", got)
	}
	for _, p := range siblings {
		p.rejectIf = contains("/worse")
	}
	rejecting.rejectIf = nil
	h.apply(meshtest.Group("a", "routes", "/worse"))
	rejecting.sync(t)
	for _, sibling := range siblings {
		sibling.sync(t)
	}
	h.fireTimers()
	if len(h.rejections()) != 1 || siblings[0].hasInboundRoute("/worse") {
		t.Errorf("two of three proxies quarantined %v", h.rejections())
	}
}

// TestQuarantine_ReleasesPoliciesThatAreNotTheCause rejects a resource whatever its policies are.
func TestQuarantine_ReleasesPoliciesThatAreNotTheCause(t *testing.T) {
	h, s := newQuarantineHarness(t)
	s.rejectIf = func(res *discovery.Resource) bool { return res.GetName() == inboundRoutes }
	h.apply(meshtest.Group("a", "routes", "/y"))
	for range 10 {
		s.sync(t)
		h.fireTimers()
	}
	if len(h.rejections()) != 0 || !s.hasInboundRoute("/y") {
		t.Fatalf("quarantined %v though the resource is rejected without them too", h.rejections())
	}
	s.log = nil
	s.sync(t)
	if len(s.log) != 0 {
		t.Errorf("a resource that is always rejected is sent again: %v", s.log)
	}
	if got := firstProxy(s).Types[resourcetype.Routes].Rejection; got != "no" {
		t.Errorf("rejection %q", got)
	}
}

// TestBisection_OneBadResourceAmongMany checks that the bad resource is found and all others are sent again.
func TestBisection_OneBadResourceAmongMany(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	client, server := podsOf(entries)
	for i := range 40 {
		service := meshtest.Service("a", fmt.Sprint("s", i), "server", fmt.Sprint("10.96.1.", i+1), 80, inventory.ProtocolHTTP)
		entries = append(entries, service, meshtest.Slice(service.Name, server))
	}
	h.apply(entries...)
	s := newFakeProxy(h, client)
	const bad = "rds-outbound.80|a/s17"
	s.rejectIf = func(res *discovery.Resource) bool { return res.GetName() == bad }
	s.open(t)
	s.sync(t)
	h.fireTimers()
	s.sync(t)
	held := s.envoy.Versions()[resourcetype.Routes.URL()]
	if len(held) < 40 || held[bad] != "" {
		t.Errorf("the proxy has %d routes, the bad one at %q", len(held), held[bad])
	}
	if nacks := strings.Count(strings.Join(s.log, "\n"), "NACK"); nacks > 20 {
		t.Errorf("it took %d NACKs to find one bad resource among 40", nacks)
	}
}

// TestThreat51NackLoop rejects everything. The number of resources limits the number of responses.
func TestThreat51NackLoop(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	client, server := podsOf(entries)
	for i := range 100 {
		service := meshtest.Service("a", fmt.Sprint("s", i), "server", fmt.Sprint("10.96.1.", i+1), 80, inventory.ProtocolHTTP)
		entries = append(entries, service, meshtest.Slice(service.Name, server))
	}
	h.apply(append(entries, &catalog.Settings{Permissive: true})...)
	s := newFakeProxy(h, client)
	s.rejectIf = func(*discovery.Resource) bool { return true }
	began := h.now
	s.open(t)
	s.sync(t)
	if len(s.log) > 2000 {
		t.Errorf("%d responses and NACKs for about 300 resources", len(s.log))
	}
	if h.now.Sub(began) < 10*time.Second {
		t.Errorf("it took only %s: consecutive NACKs are not delayed", h.now.Sub(began))
	}
}

// newOldCulprit returns a mesh with bad policies that are older than good ones, as after a restart, and a proxy that rejects "bad".
func newOldCulprit(t *testing.T, policies ...string) (*harness, *fakeProxy) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	for i, path := range policies {
		group := fmt.Sprint("g", i)
		h.apply(meshtest.Group("a", group, path), meshtest.Target(fmt.Sprint("t", i), server.Identity(), []catalog.TargetRule{meshtest.HTTP(group)}, client.Identity()))
	}
	s := newFakeProxy(h, server)
	s.rejectIf = contains("bad")
	s.open(t)
	for range 40 {
		s.sync(t)
		h.now = h.now.Add(time.Second)
		h.fireTimers()
	}
	return h, s
}

// quarantinedNames returns the names of the quarantined policies.
func (h *harness) quarantinedNames() []string {
	var list []string
	for _, r := range h.store.Rejections() {
		list = append(list, r.Policy.Name.Name)
	}
	return list
}

// TestInnocentPoliciesAreReleased checks that policies that are newer than the cause of a NACK do not stay quarantined with it.
func TestInnocentPoliciesAreReleased(t *testing.T) {
	for name, test := range map[string]struct {
		policies []string
		want     []string
	}{
		"one old culprit":              {[]string{"/bad", "/one", "/two", "/three"}, []string{"t0"}},
		"two culprits":                 {[]string{"/bad1", "/one", "/bad2", "/two"}, []string{"t0", "t2"}},
		"a culprit that is the newest": {[]string{"/one", "/two", "/bad"}, []string{"t2"}},
		"no culprit":                   {[]string{"/one", "/two"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := newOldCulprit(t, test.policies...)
			// The newest part of a culprit is its target or its group.
			got := h.quarantinedNames()
			for i := range got {
				got[i] = strings.Replace(got[i], "g", "t", 1)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("quarantined (-want +got):\n%s", diff)
			}
			for _, path := range test.policies {
				if bad := strings.Contains(path, "bad"); s.hasInboundRoute(path) == bad {
					t.Errorf("the routes have %s: %t", path, bad)
				}
			}
			s.log = nil
			s.sync(t)
			h.fireTimers()
			s.sync(t)
			if len(s.log) > 0 {
				t.Errorf("policies are tried again and again: %v", s.log)
			}
		})
	}
}

// TestTrialsFollowNewChanges checks that a culprit that appears during a trial does not keep the tried policy quarantined.
func TestTrialsFollowNewChanges(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	add := func(i int, path string) {
		group := fmt.Sprint("g", i)
		h.apply(meshtest.Group("a", group, path), meshtest.Target(fmt.Sprint("t", i), server.Identity(), []catalog.TargetRule{meshtest.HTTP(group)}, client.Identity()))
	}
	for i, path := range []string{"/bad", "/one", "/two"} {
		add(i, path)
	}
	s := newFakeProxy(h, server)
	s.rejectIf = contains("bad")
	s.open(t)
	for i := range 60 {
		s.sync(t)
		h.now = h.now.Add(time.Second)
		h.fireTimers()
		if i%2 == 1 && i < 20 {
			add(10+i, fmt.Sprint("/bad", i))
		}
	}
	if !s.hasInboundRoute("/one") || !s.hasInboundRoute("/two") || s.hasInboundRoute("bad") || len(h.quarantinedNames()) != 11 {
		t.Errorf("quarantined %v, want the 11 bad ones", h.quarantinedNames())
	}
}
