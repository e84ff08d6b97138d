package snapshot

import (
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// newTalkUnready is a conversation with a sidecar that is not ready until it uses everything.
func newTalkUnready(t *testing.T) *talk {
	k := newTalk(t)
	k.q.unready = unreadyCluster()
	return k
}

// unready says whether the client was sent the cluster by which it is not ready, and not told to forget it.
func (k *talk) unready() bool {
	_, held := k.q.types[Clusters].held[names.UnreadyCluster]
	return held
}

// all lets the client accept everything that comes, but routes that are in bad.
func (k *talk) all(bad ...string) {
	k.t.Helper()
	for r := k.q.next(k.shelf, k.now); r != nil; r = k.q.next(k.shelf, k.now) {
		if r.Type == Routes && slices.ContainsFunc(r.Resources, func(res Resource) bool { return slices.Contains(bad, res.name) }) {
			k.nack(Routes, "no")
		} else {
			k.ack(r.Type)
		}
	}
}

// begins is the first thing that each sidecar says and hears.
func (k *talk) begins() {
	k.t.Helper()
	k.put(Clusters, "c", "1")
	k.put(Listeners, "l", "1")
	k.put(Routes, "r", "1")
	k.ask(Clusters)
	k.ask(Listeners)
	k.all()
}

func TestReadyOnceEverythingIsAccepted(t *testing.T) {
	k := newTalkUnready(t)
	k.put(Clusters, "c", "1")
	k.ask(Clusters)
	k.expect("CDS c " + names.UnreadyCluster)
	k.ack(Clusters)
	if k.expect(); !k.unready() {
		t.Fatal("ready without listeners")
	}
	k.put(Listeners, "l", "1")
	k.put(Routes, "r", "1")
	k.ask(Listeners)
	k.all()
	if !k.unready() {
		t.Fatal("ready before the routes were asked for, which the listeners name")
	}
	k.ask(Routes, "r")
	k.expect("RDS r")
	if !k.unready() {
		t.Fatal("ready before the routes were accepted")
	}
	k.ack(Routes)
	k.expect("CDS -" + names.UnreadyCluster)
	k.ack(Clusters)
	k.put(Routes, "r", "2")
	k.all("r")
	if k.unready() {
		t.Error("a sidecar that was ready is not any more, since it rejects a later change")
	}
}

func TestNotReadyWhileSomethingIsRejected(t *testing.T) {
	k := newTalkUnready(t)
	k.begins()
	k.ask(Routes, "r")
	k.all("r")
	k.wait(time.Hour)
	if k.all("r"); !k.unready() {
		t.Fatal("a sidecar that rejects its only routes is ready")
	}
	k.put(Routes, "r", "2")
	if k.all(); k.unready() {
		t.Error("a sidecar that uses everything is not ready")
	}
}

// TestRoutesThatNobodyAsksFor: who has accepted everything that it wants is ready after a while.
func TestRoutesThatNobodyAsksFor(t *testing.T) {
	k := newTalkUnready(t)
	k.begins()
	if deadline := k.q.deadline(); !deadline.Equal(k.now.Add(patience)) {
		t.Errorf("looks again at %s, want %s", deadline, k.now.Add(patience))
	}
	k.wait(patience)
	if k.all(); k.unready() {
		t.Error("waits for ever")
	}
	if deadline := k.q.deadline(); !deadline.IsZero() {
		t.Errorf("looks again at %s, with nothing to do", deadline)
	}
}

// TestReadinessOutlivesAStream: a sidecar that was ready is never made unready by another replica, and one that was not still is not.
func TestReadinessOutlivesAStream(t *testing.T) {
	for name, test := range map[string]struct {
		initial map[string]string
		before  bool
	}{
		"was ready":     {map[string]string{"c": "1"}, false},
		"was not ready": {map[string]string{"c": "1", names.UnreadyCluster: formatVersion(unreadyCluster().hash)}, true},
		"is new":        {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTalkUnready(t)
			k.put(Clusters, "c", "1")
			k.put(Listeners, "l", "1")
			k.send(&discovery.DeltaDiscoveryRequest{TypeUrl: Clusters.URL(), InitialResourceVersions: test.initial})
			if k.all(); k.unready() != test.before {
				t.Errorf("before it has asked for listeners it is not ready: %t, want %t", k.unready(), test.before)
			}
			k.ask(Listeners)
			k.all()
			k.wait(patience) // one that comes back may hold routes that it has not told of yet
			if k.all(); k.unready() {
				t.Error("not ready, though it uses everything")
			}
		})
	}
}
