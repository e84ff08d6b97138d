package delta

import (
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestWaitsForOtherTypes checks when a wait begins, and when it has lasted too long.
func TestWaitsForOtherTypes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	since := time.Time{}
	for _, step := range []struct {
		blocked bool
		at      time.Time
		want    time.Time
	}{{false, now, time.Time{}}, {true, now, now}, {true, now.Add(time.Second), now}, {false, now, time.Time{}}} {
		if updateBlockedSince(&since, step.blocked, step.at); !since.Equal(step.want) {
			t.Errorf("blocked is %t: since %s, want %s", step.blocked, since, step.want)
		}
	}
	for name, test := range map[string]struct {
		since time.Time
		want  bool
	}{"no wait": {time.Time{}, false}, "a short one": {now.Add(1 - ackTimeout), false}, "a long one": {now.Add(-ackTimeout), true}} {
		if got := isOverdue(test.since, now); got != test.want {
			t.Errorf("%s: overdue is %t", name, got)
		}
	}
}

// TestWhatHoldsClusters checks which answers a client may wait for before it acknowledges its clusters.
func TestWhatHoldsClusters(t *testing.T) {
	for _, inFlight := range []string{"", "1"} {
		q := &sequencer{}
		q.types[resourcetype.Clusters].inFlight = inFlight
		for _, kind := range resourcetype.AllTypes() {
			want := inFlight != "" && (kind == resourcetype.Endpoints || kind == resourcetype.Secrets)
			if got := q.holdsClusters(kind); got != want {
				t.Errorf("with the response %q in flight, %s holds clusters is %t", inFlight, kind, got)
			}
		}
	}
}

// TestWholeConfiguration checks whether a client has had its whole configuration.
func TestWholeConfiguration(t *testing.T) {
	readiness := newConversation(t)
	readiness.put(resourcetype.Clusters, "readiness", "1")
	for name, test := range map[string]struct {
		change func(q *sequencer, pending *[resourcetype.NumTypes]time.Time)
		want   bool
	}{
		"everything is accepted": {func(*sequencer, *[resourcetype.NumTypes]time.Time) {}, true},
		"clusters are pending": {func(_ *sequencer, pending *[resourcetype.NumTypes]time.Time) {
			pending[resourcetype.Clusters] = time.Unix(1, 0)
		}, false},
		"listeners are pending": {func(_ *sequencer, pending *[resourcetype.NumTypes]time.Time) {
			pending[resourcetype.Listeners] = time.Unix(1, 0)
		}, false},
		"routes are pending": {func(_ *sequencer, pending *[resourcetype.NumTypes]time.Time) {
			pending[resourcetype.Routes] = time.Unix(1, 0)
		}, true},
		"listeners are rejected": {func(q *sequencer, _ *[resourcetype.NumTypes]time.Time) {
			q.types[resourcetype.Listeners].rejected = true
		}, false},
		"it is not ready": {func(q *sequencer, _ *[resourcetype.NumTypes]time.Time) {
			q.readinessCluster = readiness.snapshot.contents[resourcetype.Clusters]["readiness"]
		}, false},
	} {
		q, pending := &sequencer{}, [resourcetype.NumTypes]time.Time{}
		test.change(q, &pending)
		if got := q.hadAll(&pending); got != test.want {
			t.Errorf("%s: it has had all is %t", name, got)
		}
	}
}

// TestWithdrawnDestination checks that only an addition is withdrawn.
func TestWithdrawnDestination(t *testing.T) {
	for a, want := range map[action]action{actionAdd: actionWithdraw, actionNone: actionNone} {
		if got, _ := withdraw(a, resource.Versioned{}); got != want {
			t.Errorf("action %d becomes %d, want %d", a, got, want)
		}
	}
}

// TestOwnClusters checks that a client has its own clusters among the others, and no other type has any.
func TestOwnClusters(t *testing.T) {
	c := newConversation(t)
	for _, name := range []string{"a", "own"} {
		c.put(resourcetype.Clusters, name, "1")
	}
	own := c.snapshot.contents[resourcetype.Clusters]["own"]
	delete(c.snapshot.contents[resourcetype.Clusters], "own")
	c.put(resourcetype.Routes, "r", "1")
	if got := c.q.withOwnClusters(c.snapshot); got != Snapshot(c.snapshot) {
		t.Error("a client without clusters of its own has another snapshot")
	}
	c.q.readinessCluster = own
	snap := c.q.withOwnClusters(c.snapshot)
	if got := slices.Sorted(snap.Names(resourcetype.Clusters)); !slices.Equal(got, []string{"a", "own"}) {
		t.Errorf("the clusters are %v", got)
	}
	for range snap.Names(resourcetype.Clusters) {
		break // a list that is left early ends
	}
	if got := slices.Collect(snap.Names(resourcetype.Routes)); !slices.Equal(got, []string{"r"}) {
		t.Errorf("the routes are %v", got)
	}
	for _, kind := range []resourcetype.Type{resourcetype.Clusters, resourcetype.Routes} {
		if got, found := snap.Content(kind, "own"); found != (kind == resourcetype.Clusters) || found && got != own {
			t.Errorf("%s has the cluster is %t", kind, found)
		}
	}
}

// TestRemovalDelaysAreForgotten checks which waits of clusters go on.
func TestRemovalDelaysAreForgotten(t *testing.T) {
	c := withClusters(t, "app", envoy.ConfiguredAuthorizationCluster)
	due := c.now.Add(removalDelay)
	c.q.removalsDue = map[string]time.Time{"app": due, envoy.ConfiguredAuthorizationCluster: due, "unknown": due}
	c.q.endRemovalDelays(c.snapshot, c.now)
	if len(c.q.removalsDue) != 0 {
		t.Errorf("%v are due, though they are used or unknown", c.q.removalsDue)
	}
	c.remove(resourcetype.Clusters, "app")
	c.remove(resourcetype.Clusters, envoy.ConfiguredAuthorizationCluster)
	c.q.removalsDue = map[string]time.Time{"app": due, envoy.ConfiguredAuthorizationCluster: due}
	c.q.endRemovalDelays(c.snapshot, c.now)
	if !c.q.removalsDue["app"].IsZero() || !c.q.removalsDue[envoy.ConfiguredAuthorizationCluster].Equal(due) {
		t.Errorf("the removals are due at %v", c.q.removalsDue)
	}
	c.q.types[resourcetype.Clusters].dirty = nil
	c.q.endRemovalDelays(c.snapshot, due)
	if _, dirty := c.q.types[resourcetype.Clusters].dirty[envoy.ConfiguredAuthorizationCluster]; !dirty || !c.q.removalsDue[envoy.ConfiguredAuthorizationCluster].IsZero() {
		t.Errorf("after the wait, the removals are due at %v", c.q.removalsDue)
	}
	c.q.types[resourcetype.Clusters].dirty = nil
	if c.q.endRemovalDelays(c.snapshot, due.Add(time.Hour)); len(c.q.types[resourcetype.Clusters].dirty) > 0 {
		t.Errorf("waits that have ended end again: %v", c.q.types[resourcetype.Clusters].dirty)
	}
}

// TestTimesOfChanges checks since when a response in flight is pending.
func TestTimesOfChanges(t *testing.T) {
	c := newConversation(t)
	start := c.now
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Routes, "r")
	c.wait(time.Second)
	c.expect("RDS r")
	if got := c.q.types[resourcetype.Routes].inFlightSince; !got.Equal(start) {
		t.Errorf("a change is pending since %s, want %s", got, start)
	}
	c.ack(resourcetype.Routes)
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL()})
	c.expect("CDS")
	if got := c.q.types[resourcetype.Clusters].inFlightSince; !got.Equal(c.now) {
		t.Errorf("a response without a change is pending since %s, want %s", got, c.now)
	}
	c.q.cancelInFlight(resourcetype.Clusters)
	if c.q.types[resourcetype.Clusters].inFlight != "" {
		t.Error("a response that was taken back is in flight")
	}
}
