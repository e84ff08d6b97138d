package delta

import (
	"fmt"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestManyUpdatesCountAsAll remembers so many updates that it forgets which ones they were.
func TestManyUpdatesCountAsAll(t *testing.T) {
	update := func(c *conversation, number int, servers ...string) {
		c.place(granting(c.t, fmt.Sprintf("l%02d", number), "1", servers...))
	}
	for name, test := range map[string]struct {
		updates int
		// pause is the time between the last updates and the handover.
		pause time.Duration
		want  bool
	}{
		"as many as are remembered":       {maxRecentUpdates, 0, false},
		"one more":                        {maxRecentUpdates + 1, 0, true},
		"one more, long before":           {maxRecentUpdates + 1, handoverTime + time.Second, false},
		"one more, at the limit of times": {maxRecentUpdates + 1, handoverTime, true},
	} {
		c := newHandover(t)
		for i := range test.updates {
			update(c, i, "a", "b")
		}
		c.acceptAll()
		c.report(started)
		for i := range test.updates {
			update(c, i, "a")
		}
		c.acceptAll()
		if len(c.q.handover.updates) > maxRecentUpdates {
			t.Errorf("%s: %d updates are remembered, want at most %d", name, len(c.q.handover.updates), maxRecentUpdates)
		}
		c.wait(test.pause)
		c.report(complete)
		version, _ := c.q.types[resourcetype.Listeners].versions.get("l") // not updated itself
		if got := version == stateUnknown; got != test.want {
			t.Errorf("%s: a listener without an update counts as one that may not be applied: %t, want %t", name, got, test.want)
		}
	}
}

// TestOldUpdatesAreForgotten makes room for updates by those that every client has applied.
func TestOldUpdatesAreForgotten(t *testing.T) {
	state := &handover{}
	began := time.Unix(1_800_000_000, 0)
	for i := range maxRecentUpdates {
		state.recordUpdate(fmt.Sprint(i), began)
		state.updates[fmt.Sprint(i)] = began.Add(time.Duration(i) * time.Nanosecond)
	}
	state.recordUpdate("in flight", began.Add(handoverReport+time.Nanosecond))
	if _, kept := state.updates["1"]; len(state.updates) != maxRecentUpdates || !kept || !state.updatedAll.IsZero() || !state.updates["in flight"].IsZero() {
		t.Errorf("%d updates are remembered, and all count since %s; want %d, without the first one", len(state.updates), state.updatedAll, maxRecentUpdates)
	}
	state.forgetUpdates(began.Add(time.Hour))
	if len(state.updates) != 1 {
		t.Errorf("after an hour %d updates are remembered, want the one in flight", len(state.updates))
	}
}

// TestDrainIsRecognizedByItsCluster reconnects a client that drains while no later Envoy is known.
func TestDrainIsRecognizedByItsCluster(t *testing.T) {
	for name, test := range map[string]struct {
		awaits, hasCluster, hasDraining, reported bool
		want                                      bool
	}{
		"a client with the cluster":           {true, true, true, false, true},
		"a client without the cluster":        {true, true, false, false, false},
		"a client that cannot have another":   {false, true, true, false, false},
		"a control plane without the cluster": {true, false, true, false, false},
		"a later Envoy that is reported":      {true, true, true, true, true},
	} {
		c := newConversation(t)
		c.put(resourcetype.Clusters, draining, "1")
		if test.hasCluster {
			c.q.drainingCluster = c.snapshot.contents[resourcetype.Clusters][draining]
		}
		delete(c.snapshot.contents[resourcetype.Clusters], draining)
		if test.awaits {
			c.q.awaitHandover()
		}
		if test.reported {
			c.report(complete)
		}
		initial := map[string]string{"c": "1"}
		if test.hasDraining {
			initial[draining] = "1"
		}
		c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: initial})
		state := c.q.handover
		if got := state.drains(); got != test.want {
			t.Errorf("%s: drains %t, want %t", name, got, test.want)
		}
		if !test.want {
			continue
		}
		want := c.now.Add(returnTime)
		if test.reported {
			want = time.Time{}
		}
		if !state.Earlier || !state.endsAt.Equal(want) {
			t.Errorf("%s: earlier %t, serves again at %s; want true and %s", name, state.Earlier, state.endsAt, want)
		}
	}
}

// TestUnsureVersionsOfEarlierStreams reconnects clients whose versions say that they may not have applied a listener.
func TestUnsureVersionsOfEarlierStreams(t *testing.T) {
	first := newHandover(t)
	first.report(started)
	first.place(granting(t, "l", "2", "a"))
	r := first.q.next(first.snapshot, first.now)
	unsure := r.Resources[0].WireVersion()
	if _, marked := resource.CutUnsureMark(unsure); !marked {
		t.Fatalf("the version %s does not say that the client may not apply the listener", unsure)
	}
	for name, test := range map[string]struct {
		handover *Handover
		sent     []string
		updates  int
	}{
		"no other Envoy is possible":  {nil, nil, 0},
		"another Envoy has started":   {&started, nil, 1},
		"another Envoy has taken on":  {&earlyOn, []string{"LDS -l"}, 0},
		"nothing is known about that": {&Handover{}, nil, 1},
	} {
		c := newConversation(t)
		c.place(granting(t, "l", "2", "a"))
		if test.handover != nil {
			c.report(*test.handover)
		}
		c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Listeners.URL(), InitialResourceVersions: map[string]string{"l": unsure}})
		c.expect(test.sent...)
		if test.handover == nil {
			continue
		}
		if got := c.q.handover.updates; len(got) != test.updates || test.updates == 1 && !got["l"].Equal(c.now) {
			t.Errorf("%s: remembered updates are %v, want %d, answered now", name, got, test.updates)
		}
	}
}

// TestVersionsOfSureListeners sends listeners without the mark where the client certainly applies them, or loses nothing.
func TestVersionsOfSureListeners(t *testing.T) {
	for name, test := range map[string]struct {
		handover *Handover
		servers  []string
		want     bool
	}{
		"no other Envoy is possible":  {nil, []string{"a"}, false},
		"no other Envoy has started":  {&Handover{}, []string{"a"}, false},
		"another Envoy, less":         {&started, []string{"a"}, true},
		"another Envoy, more":         {&started, []string{"a", "b", "c"}, false},
		"another Envoy, new listener": {&started, nil, false},
	} {
		c := newHandover(t)
		if test.handover != nil {
			c.report(*test.handover)
		}
		listener := "l"
		if test.servers == nil {
			listener = "new"
		}
		c.place(granting(t, listener, "2", test.servers...))
		r := c.q.next(c.snapshot, c.now)
		if r == nil {
			t.Fatalf("%s: nothing is sent", name)
		}
		if _, got := resource.CutUnsureMark(r.Resources[0].WireVersion()); got != test.want {
			t.Errorf("%s: the version says that the client may not apply it: %t, want %t", name, got, test.want)
		}
	}
}

// TestVerdictsAreRemembered compares two listeners once, and again when one of them is another.
func TestVerdictsAreRemembered(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	held := c.q.handover.held["l"]
	less, more := granting(t, "l", "2", "a"), granting(t, "l", "3", "a", "b", "c")
	if !c.q.losesGrant("l", held.Hash(), less) || c.q.losesGrant("l", held.Hash(), more) {
		t.Error("fewer servers lose nothing, or more lose something")
	}
	c.q.handover.verdicts["l"] = verdict{before: held.Hash(), after: more.Hash(), loses: true}
	if !c.q.losesGrant("l", held.Hash(), more) {
		t.Error("what is remembered is compared again")
	}
	if !c.q.losesGrant("l", less.Hash(), more) {
		t.Error("a client with another version than the remembered one loses nothing for sure")
	}
	c.q.handover.held["l"] = less
	if c.q.losesGrant("l", less.Hash(), more) {
		t.Error("the verdict about another predecessor counts")
	}
	c.q.handover.verdicts = nil
	if !c.q.losesGrant(envoy.InboundListener, less.Hash(), granting(t, envoy.InboundListener, "2", "a")) || c.q.losesGrant("l", less.Hash(), more) {
		t.Error("without remembered verdicts, there is none")
	}
}

// TestRevokedListenerIsForgotten removes a listener of a client that drains.
func TestRevokedListenerIsForgotten(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	c.report(earlyOn)
	c.expectDrain()
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS -l")
	state, st := c.q.handover, &c.q.types[resourcetype.Listeners]
	if version, _ := st.versions.get("l"); version != stateRevoked || state.held["l"] != nil || len(state.verdicts) != 0 || len(st.dirty) != 0 {
		t.Errorf("after the removal, version %v, held %v, verdicts %v, dirty %v; want a revoked listener and nothing else", version, state.held["l"], state.verdicts, st.dirty)
	}
}

// TestListenersOutsideTheSnapshot reports a handover while the client has listeners that are being removed.
func TestListenersOutsideTheSnapshot(t *testing.T) {
	c := newHandover(t)
	c.remove(resourcetype.Listeners, "l")
	c.remove(resourcetype.Listeners, envoy.InboundListener)
	c.report(started)
	if held := c.q.handover.held; len(held) != 0 {
		t.Errorf("remembered are %v, want none", held)
	}
	c.expect("LDS -inbound-listener -l")
}

// TestListenersAreRememberedAgain reports a later Envoy again while a change is not sent yet. What the client has is what was remembered.
func TestListenersAreRememberedAgain(t *testing.T) {
	c := newHandover(t)
	c.report(earlyOn)
	c.expectDrain()
	c.report(Handover{})
	c.place(granting(t, "l", "2", "a", "b", "c"))
	c.report(earlyOn)
	c.expect("LDS l")
}

// TestCurrentListenersWaitForNothing compares everything again while it is not known whether there is another Envoy.
func TestCurrentListenersWaitForNothing(t *testing.T) {
	c := newHandover(t)
	c.q.awaitHandover()
	c.q.markAllChanged(c.snapshot, c.now)
	if !c.q.isSynced(resourcetype.Listeners, c.snapshot, c.now) {
		t.Error("listeners that the client has count as missing")
	}
}

// TestInboundListenerOfAnEarlierStream grants more to a client that has connected again while another Envoy starts.
func TestInboundListenerOfAnEarlierStream(t *testing.T) {
	c := newConversation(t)
	held := granting(t, envoy.InboundListener, "1", "a")
	c.place(held)
	c.report(started)
	c.reconnect(held)
	c.place(granting(t, envoy.InboundListener, "2", "a", "b"))
	r := c.q.next(c.snapshot, c.now)
	if _, unsure := resource.CutUnsureMark(r.Resources[0].WireVersion()); unsure || len(c.q.handover.updates) != 0 {
		t.Errorf("a grant counts as a loss; updates are %v", c.q.handover.updates)
	}
}

// TestListenersOfAClientThatServesAgain are sent in place of removed ones, so they take nothing away.
func TestListenersOfAClientThatServesAgain(t *testing.T) {
	c := newHandover(t)
	c.report(earlyOn)
	c.expectDrain()
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS -l")
	c.ack(resourcetype.Listeners)
	c.report(started)
	c.wait(returnTime)
	r := c.q.next(c.snapshot, c.now)
	if _, unsure := resource.CutUnsureMark(r.Resources[0].WireVersion()); unsure || r.Type != resourcetype.Listeners {
		t.Errorf("sent %v in a version that says that it may not be applied: %t; want listener l as a new one", r, unsure)
	}
}

// TestRejectedListenerIsRevoked removes a listener that the client has rejected before.
func TestRejectedListenerIsRevoked(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	c.place(granting(t, "l", "2", "a", "b", "c"))
	c.expect("LDS l")
	c.nack(resourcetype.Listeners, "no")
	c.report(earlyOn)
	c.expectDrain()
	c.place(granting(t, "l", "3", "a"))
	c.expect("LDS -l")
	c.ack(resourcetype.Listeners)
	if c.q.types[resourcetype.Listeners].bisector.HasRejected() {
		t.Error("a listener that was removed counts as rejected")
	}
}
