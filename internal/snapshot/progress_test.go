package snapshot

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func firstProxy(s *sidecar) Proxy { return s.bench.store.Proxies()[0] }

// policy asks how far the sidecars are with a policy.
func (b *bench) policy(t *testing.T, ref catalog.Ref) PolicyStatus {
	t.Helper()
	status, err := b.store.policyStatus(ref)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestProgressOfAPolicy follows a policy from its change to its acknowledgement by both of the sidecars that it concerns, of
// three.
func TestProgressOfAPolicy(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, server := pods(entries)
	stranger := meshtest.Pod("a", "stranger", "stranger", "stranger", "10.0.0.7")
	b.apply(append(entries, stranger, accountOf(stranger))...)
	sidecars := []*sidecar{newSidecar(b, client), newSidecar(b, server), newSidecar(b, stranger)}
	for _, s := range sidecars {
		s.open(t)
	}
	target := catalog.Ref{Kind: catalog.KindTrafficTarget, Name: meshtest.Name("a", "t")}
	changed := b.now
	want := PolicyStatus{Policy: target, Changed: changed, Sidecars: 2, Laggards: []catalog.Name{client.Name, server.Name}}
	if diff := cmp.Diff(want, b.policy(t, target)); diff != "" {
		t.Fatalf("before anything is sent (-want +got):\n%s", diff)
	}
	tick := func() { b.now = b.now.Add(time.Second) }
	tick()
	sidecars[0].settle(t)
	if got := b.policy(t, target); got.Acknowledged != 1 || !got.Settled.IsZero() {
		t.Fatalf("after one of two: %+v", got)
	}
	sidecars[1].settle(t)
	b.store.watchProgress()
	settled := b.now
	tick()
	// A later change of something else does not take back what was acknowledged.
	b.apply(meshtest.Target("u", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, stranger.Identity()))
	want = PolicyStatus{Policy: target, Changed: changed, Sidecars: 2, Acknowledged: 2, Settled: settled}
	if diff := cmp.Diff(want, b.policy(t, target)); diff != "" {
		t.Errorf("after both (-want +got):\n%s", diff)
	}
	if got := b.policy(t, catalog.Ref{Kind: catalog.KindTrafficTarget, Name: meshtest.Name("a", "u")}); got.Acknowledged != 0 || got.Sidecars != 2 {
		t.Errorf("the later one: %+v", got)
	}
}

func TestProgressOfARejectedPolicy(t *testing.T) {
	b, s := quarantineBench(t)
	b.apply(meshtest.Group("a", "routes", "/bad"))
	s.settle(t)
	got := b.policy(t, catalog.Ref{Kind: catalog.KindHTTPRouteGroup, Name: meshtest.Name("a", "routes")})
	if got.Sidecars != 1 || got.Rejected != 1 || got.Acknowledged != 0 || len(got.Laggards) != 0 {
		t.Errorf("a rejected policy: %+v", got)
	}
}

func TestProgressOfNothing(t *testing.T) {
	b := newBench()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.store.Policy(ctx, catalog.Ref{Kind: catalog.KindTCPRoute}); !errors.Is(err, context.Canceled) {
		t.Errorf("the Store does not run, and the answer is %v", err)
	}
	if _, err := b.store.policyStatus(catalog.Ref{Kind: catalog.KindTCPRoute}); !errors.Is(err, ErrNoPolicy) {
		t.Errorf("a policy that does not exist: %v", err)
	}
}

// TestUpToDate compares versions of replicas, and follows a sidecar that falls behind and catches up.
func TestUpToDate(t *testing.T) {
	b, s := quarantineBench(t)
	other, _ := quarantineBench(t)
	before := firstProxy(s)
	if diff := cmp.Diff(other.store.Proxies()[0].Offered, before.Offered); diff != "" || !before.UpToDate() {
		t.Fatalf("two replicas offer different versions, or the sidecar is behind: %t %s", before.UpToDate(), diff)
	}
	b.apply(meshtest.Group("a", "routes", "/y"))
	s.flush(t)
	if p := firstProxy(s); p.UpToDate() || p.Types[Routes].Behind.IsZero() || p.Offered[Routes] == before.Offered[Routes] {
		t.Errorf("a sidecar that has not answered: %+v", p)
	}
	s.settle(t)
	if p := firstProxy(s); !p.UpToDate() {
		t.Errorf("a sidecar that has answered: %+v", p)
	}
}

// TestProgressNamesTheGeneration follows the number of a policy's version: through an edit that says something else, one that
// says the same, and one whose number is not known.
func TestProgressNamesTheGeneration(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	b.apply(twoServices()...)
	group := meshtest.Group("a", "routes", "/x")
	changed := b.now
	edit := func(e catalog.Entry, generation int64) {
		b.now = b.now.Add(time.Second)
		b.store.Apply([]catalog.Change{{Ref: e.Ref(), Entry: e, Generation: generation}})
		b.run()
	}
	check := func(generation int64, at time.Time) {
		t.Helper()
		got := b.policy(t, group.Ref())
		if got.Generation != generation || !got.Changed.Equal(at) {
			t.Errorf("generation %d, changed %s; want %d, %s", got.Generation, got.Changed, generation, at)
		}
	}
	check(0, changed)
	edit(meshtest.Group("a", "routes", "/y"), 4)
	changed = b.now
	check(4, changed)
	edit(meshtest.Group("a", "routes", "/y"), 5)
	check(5, changed)
	edit(meshtest.Group("a", "routes", "/y"), 0)
	check(5, changed)
	b.remove(group)
	edit(group, 1)
	check(1, b.now)
}
