package snapshot

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// firstProxy returns the status of the first connected proxy.
func firstProxy(s *fakeProxy) status.Proxy { return s.harness.store.Proxies()[0] }

// policy returns the status of a policy.
func (h *harness) policy(t *testing.T, ref entity.Ref) status.Policy {
	t.Helper()
	found, err := h.store.policyStatus(ref)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPolicyStatus_Acknowledged checks the status from the change to the ACKs of the two affected proxies.
func TestPolicyStatus_Acknowledged(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	client, server := podsOf(entries)
	unaffected := meshtest.Pod("a", "unaffected", "unaffected", "unaffected", "10.0.0.7")
	h.apply(append(entries, unaffected, accountOf(unaffected))...)
	sidecars := []*fakeProxy{newFakeProxy(h, client), newFakeProxy(h, server), newFakeProxy(h, unaffected)}
	for _, s := range sidecars {
		s.open(t)
	}
	target := entity.Ref{Kind: entity.KindTrafficTarget, Name: meshtest.Name("a", "t")}
	changed := h.now
	want := status.Policy{Policy: target, ChangedAt: changed, Proxies: 2, Pending: []entity.Name{client.Name, server.Name}}
	if diff := cmp.Diff(want, h.policy(t, target)); diff != "" {
		t.Fatalf("before the push (-want +got):\n%s", diff)
	}
	tick := func() { h.now = h.now.Add(time.Second) }
	tick()
	sidecars[0].sync(t)
	if got := h.policy(t, target); got.Acknowledged != 1 || !got.CompletedAt.IsZero() {
		t.Fatalf("after one ACK: %+v", got)
	}
	sidecars[1].sync(t)
	h.store.policies.UpdateCompleted(h.store.config.Now(), h.store.countProxies)
	completed := h.now
	tick()
	// A later change of another policy does not reset the status.
	h.apply(meshtest.Target("u", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, unaffected.Identity()))
	want = status.Policy{Policy: target, ChangedAt: changed, Proxies: 2, Acknowledged: 2, CompletedAt: completed}
	if diff := cmp.Diff(want, h.policy(t, target)); diff != "" {
		t.Errorf("after both ACKs (-want +got):\n%s", diff)
	}
	if got := h.policy(t, entity.Ref{Kind: entity.KindTrafficTarget, Name: meshtest.Name("a", "u")}); got.Acknowledged != 0 || got.Proxies != 2 {
		t.Errorf("later policy: %+v", got)
	}
}

func TestPolicyStatus_Rejected(t *testing.T) {
	h, s := newQuarantineHarness(t)
	h.apply(meshtest.Group("a", "routes", "/bad"))
	s.sync(t)
	got := h.policy(t, entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: meshtest.Name("a", "routes")})
	if got.Proxies != 1 || got.Rejected != 1 || got.Acknowledged != 0 || len(got.Pending) != 0 {
		t.Errorf("the status of the rejected policy is %+v, want one rejection of one sidecar and none pending", got)
	}
}

func TestPolicyStatus_Errors(t *testing.T) {
	h := newHarness()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.store.Policy(ctx, entity.Ref{Kind: entity.KindTCPRoute}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped Store: %v", err)
	}
	if _, err := h.store.policyStatus(entity.Ref{Kind: entity.KindTCPRoute}); !errors.Is(err, status.ErrUnknownPolicy) {
		t.Errorf("unknown policy: %v", err)
	}
}

// TestProxyIsUpToDate compares the versions of two replicas, and a proxy before and after an ACK.
func TestProxyIsUpToDate(t *testing.T) {
	h, s := newQuarantineHarness(t)
	other, _ := newQuarantineHarness(t)
	before := firstProxy(s)
	if diff := cmp.Diff(other.store.Proxies()[0].ScopeVersions, before.ScopeVersions); diff != "" || !before.IsUpToDate() {
		t.Fatalf("two replicas have different versions, or the proxy is not up to date: %t %s", before.IsUpToDate(), diff)
	}
	h.apply(meshtest.Group("a", "routes", "/y"))
	s.flush(t)
	if p := firstProxy(s); p.IsUpToDate() || p.Types[resourcetype.Routes].PendingSince.IsZero() || p.ScopeVersions[resourcetype.Routes] == before.ScopeVersions[resourcetype.Routes] {
		t.Errorf("before the ACK: %+v", p)
	}
	s.sync(t)
	if p := firstProxy(s); !p.IsUpToDate() {
		t.Errorf("after the ACK: %+v", p)
	}
}

// TestPolicyStatus_Generation checks the generation after edits with and without an effect, and with an unknown generation.
func TestPolicyStatus_Generation(t *testing.T) {
	h := newSyncedHarness(twoServices()...)
	group := meshtest.Group("a", "routes", "/x")
	changed := h.now
	edit := func(e catalog.Entry, generation int64) {
		h.now = h.now.Add(time.Second)
		h.store.Apply([]catalog.Change{{Ref: e.Ref(), Entry: e, Generation: generation}})
		h.run()
	}
	check := func(generation int64, at time.Time) {
		t.Helper()
		got := h.policy(t, group.Ref())
		if got.Generation != generation || !got.ChangedAt.Equal(at) {
			t.Errorf("generation %d, changed %s; want %d, %s", got.Generation, got.ChangedAt, generation, at)
		}
	}
	check(0, changed)
	edit(meshtest.Group("a", "routes", "/y"), 4)
	changed = h.now
	check(4, changed)
	edit(meshtest.Group("a", "routes", "/y"), 5)
	check(5, changed)
	edit(meshtest.Group("a", "routes", "/y"), 0)
	check(5, changed)
	h.remove(group)
	edit(group, 1)
	check(1, h.now)
}
