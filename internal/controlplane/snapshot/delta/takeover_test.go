package delta

import (
	"fmt"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// draining is the name of the cluster of a client that drains.
const draining = "draining"

// granting returns a listener that allows connections to the named servers.
func granting(t *testing.T, name, stat string, servers ...string) *resource.Content {
	t.Helper()
	return versioned(t, resourcetype.Listeners, name, &listenerv3.Listener{
		Name: name, StatPrefix: stat,
		FilterChains: []*listenerv3.FilterChain{{
			Name: "tcp", FilterChainMatch: &listenerv3.FilterChainMatch{ServerNames: servers},
			Filters: []*listenerv3.Filter{message.NetworkFilter("tcp", &tcpv3.TcpProxy{ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: "c"}})},
		}},
	}).Content
}

// newTakeover returns a conversation with a client that has the listeners l and "inbound-listener", both with the servers a and b.
func newTakeover(t *testing.T) *conversation {
	c := newConversation(t)
	c.set(resourcetype.Clusters, draining, "1", "")
	c.q.drainingCluster = c.snapshot.contents[resourcetype.Clusters][draining]
	delete(c.snapshot.contents[resourcetype.Clusters], draining)
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS")
	c.ack(resourcetype.Clusters)
	c.place(granting(t, "l", "1", "a", "b"))
	c.place(granting(t, envoy.InboundListener, "1", "a", "b"))
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS inbound-listener l")
	c.ack(resourcetype.Listeners)
	c.expect()
	return c
}

// report reports what is known about another Envoy of the pod.
func (c *conversation) report(takeover Takeover) { c.q.setTakeover(takeover, c.snapshot, c.now) }

// update changes listener l, and expects that it is sent and acknowledged.
func (c *conversation) update(stat string, servers ...string) {
	c.t.Helper()
	c.place(granting(c.t, "l", stat, servers...))
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.expect()
}

// expectDrain expects the draining cluster, with its answer, and what follows.
func (c *conversation) expectDrain(then ...string) {
	c.t.Helper()
	c.expect(append([]string{"CDS " + draining}, then...)...)
	c.ack(resourcetype.Clusters)
	if len(then) > 0 {
		c.ack(resourcetype.Listeners)
	}
	c.expect()
}

var (
	started  = Takeover{Started: true}
	complete = Takeover{Started: true, Complete: true}
	earlyOn  = Takeover{Started: true, Complete: true, Earlier: true}
)

// TestListenersWaitUntilATakeoverIsKnown holds listeners back while another Envoy may have taken over.
func TestListenersWaitUntilATakeoverIsKnown(t *testing.T) {
	c := newTakeover(t)
	c.q.awaitTakeover()
	c.place(granting(t, "l", "2", "a", "b"))
	c.expect()
	c.report(Takeover{})
	c.expect("LDS l")
}

// TestRevocationsOfAClientThatDrains takes away and grants while another Envoy takes over, and afterwards.
func TestRevocationsOfAClientThatDrains(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	c.update("2", "a", "b", "c") // more: sent as without a takeover
	c.report(complete)
	c.q.markAllChanged(c.snapshot, c.now)
	c.expect()                   // not the draining cluster
	c.update("3", "a", "b", "c") // the same rights
	c.place(granting(t, "l", "4", "a", "b"))
	c.expect() // it may drain: not applied if it does, and too much to remove if it does not
	if got, want := c.q.deadline(), c.now.Add(takeoverTime); !got.Equal(want) {
		t.Errorf("the next look is at %s, want %s: when the client certainly drains", got, want)
	}
	c.wait(takeoverTime - time.Nanosecond)
	c.expect()
	c.wait(time.Nanosecond)
	c.expectDrain("LDS -l")
	c.place(granting(t, "l", "5", "a"))
	c.place(granting(t, "new", "1", "a"))
	c.expect() // an Envoy that drains applies neither
	c.place(granting(t, envoy.InboundListener, "2", "a", "b"))
	c.expect("LDS inbound-listener")
	c.ack(resourcetype.Listeners)
	c.place(granting(t, envoy.InboundListener, "3", "a"))
	c.expect("LDS -inbound-listener")
	c.ack(resourcetype.Listeners)
	c.expect()
}

// TestNewListenersBeforeTheDrain sends new listeners as long as the client may not drain yet.
func TestNewListenersBeforeTheDrain(t *testing.T) {
	c := newTakeover(t)
	c.report(complete)
	c.place(granting(t, "new", "1", "a"))
	c.expect("LDS new")
}

// TestUpdatesShortlyBeforeTheTakeover repeats what a client may have received after it began to drain, and nothing else.
func TestUpdatesShortlyBeforeTheTakeover(t *testing.T) {
	for name, test := range map[string]struct {
		takeover Takeover
		// ago is when an update was answered that takes something away; negative if it is not answered.
		ago     time.Duration
		removed bool
	}{
		"in flight":                      {complete, -1, true},
		"just before":                    {complete, time.Second, true},
		"at the limit":                   {complete, takeoverTime, true},
		"before the limit":               {complete, takeoverTime + time.Nanosecond, false},
		"reported late, just before":     {earlyOn, takeoverTime + time.Second, true},
		"reported late, at the limit":    {earlyOn, takeoverReport, true},
		"reported late, long before":     {earlyOn, takeoverReport + time.Nanosecond, false},
		"reported late, in flight":       {earlyOn, -1, true},
		"another Envoy has only started": {started, time.Second, false},
	} {
		c := newTakeover(t)
		c.report(started)
		c.place(granting(t, "l", "2", "a"))
		c.expect("LDS l")
		if test.ago >= 0 {
			c.ack(resourcetype.Listeners)
			c.wait(test.ago)
		}
		c.report(test.takeover)
		if test.ago < 0 {
			c.ack(resourcetype.Listeners)
		}
		c.wait(takeoverTime)
		var want []string
		if test.takeover.Complete {
			want = append(want, "CDS "+draining)
		}
		if test.removed {
			want = append(want, "LDS -l")
		}
		var got []string
		for r := c.q.next(c.snapshot, c.now); r != nil; r = c.q.next(c.snapshot, c.now) {
			for _, res := range r.Resources {
				got = append(got, r.Type.String()+" "+res.Name())
			}
			for _, removed := range r.Removed {
				got = append(got, r.Type.String()+" -"+removed)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: sent %v, want %v", name, got, want)
		}
	}
}

// TestUpdatesThatTakeNothingAway are not repeated, whenever they were sent.
func TestUpdatesThatTakeNothingAway(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	c.update("2", "a", "b", "c")
	c.report(earlyOn)
	c.expectDrain()
}

// TestManyUpdatesCountAsAll remembers so many updates that it forgets which ones they were.
func TestManyUpdatesCountAsAll(t *testing.T) {
	update := func(c *conversation, number int, servers ...string) {
		c.place(granting(c.t, fmt.Sprintf("l%02d", number), "1", servers...))
	}
	for name, test := range map[string]struct {
		updates int
		// pause is the time between the last updates and the takeover.
		pause time.Duration
		want  bool
	}{
		"as many as are remembered":       {maxRecentUpdates, 0, false},
		"one more":                        {maxRecentUpdates + 1, 0, true},
		"one more, long before":           {maxRecentUpdates + 1, takeoverTime + time.Second, false},
		"one more, at the limit of times": {maxRecentUpdates + 1, takeoverTime, true},
	} {
		c := newTakeover(t)
		for i := range test.updates {
			update(c, i, "a", "b")
		}
		for c.q.next(c.snapshot, c.now) != nil {
			c.ack(resourcetype.Listeners)
		}
		c.report(started)
		for i := range test.updates {
			update(c, i, "a")
		}
		for c.q.next(c.snapshot, c.now) != nil {
			c.ack(resourcetype.Listeners)
		}
		if len(c.q.takeover.updates) > maxRecentUpdates {
			t.Errorf("%s: %d updates are remembered, want at most %d", name, len(c.q.takeover.updates), maxRecentUpdates)
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
	state := &takeover{}
	began := time.Unix(1_800_000_000, 0)
	for i := range maxRecentUpdates {
		state.recordUpdate(fmt.Sprint(i), began)
		state.updates[fmt.Sprint(i)] = began.Add(time.Duration(i) * time.Nanosecond)
	}
	state.recordUpdate("in flight", began.Add(takeoverReport+time.Nanosecond))
	if _, kept := state.updates["1"]; len(state.updates) != maxRecentUpdates || !kept || !state.updatedAll.IsZero() || !state.updates["in flight"].IsZero() {
		t.Errorf("%d updates are remembered, and all count since %s; want %d, without the first one", len(state.updates), state.updatedAll, maxRecentUpdates)
	}
	state.forgetUpdates(began.Add(time.Hour))
	if len(state.updates) != 1 {
		t.Errorf("after an hour %d updates are remembered, want the one in flight", len(state.updates))
	}
}

// TestClientThatServesAgain ends a takeover: the later Envoy is gone.
func TestClientThatServesAgain(t *testing.T) {
	c := newTakeover(t)
	c.report(complete)
	c.place(granting(t, "l", "2", "a"))
	c.expect()
	c.report(started) // before it drains
	if c.q.takeover.held["l"] == nil || !c.q.takeover.drainsAt.IsZero() {
		t.Error("a later Envoy that was complete and is not has ended, or the client still counts as one that will drain")
	}
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.expect()

	c.report(earlyOn)
	c.expectDrain("LDS -l")
	c.place(granting(t, "new", "1", "a"))
	c.report(Takeover{})
	c.expect()
	if got, want := c.q.deadline(), c.now.Add(returnTime); !got.Equal(want) {
		t.Errorf("the next look is at %s, want %s", got, want)
	}
	c.wait(returnTime - time.Nanosecond)
	c.expect()
	c.wait(time.Nanosecond)
	c.expect("LDS l new") // nothing is removed before listeners that replace it
	c.ack(resourcetype.Listeners)
	c.expect("CDS -" + draining)
	c.ack(resourcetype.Clusters)
	c.expect()
	if state := c.q.takeover; state.held != nil || state.verdicts != nil || state.Complete || state.Started || !state.endsAt.IsZero() {
		t.Errorf("without a later Envoy, the state is %+v", state)
	}
	c.update("3", "b") // takes away, and is an update
}

// TestLaterEnvoyComesBack loses the stream of the later Envoy for less than the time after which the client serves again.
func TestLaterEnvoyComesBack(t *testing.T) {
	c := newTakeover(t)
	c.report(earlyOn)
	c.expectDrain()
	c.report(Takeover{})
	c.wait(returnTime / 2)
	c.report(earlyOn)
	c.wait(returnTime)
	c.expect()
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS -l")
}

// TestLaterEnvoyThatEndsBeforeItIsComplete forgets what it remembered for the takeover.
func TestLaterEnvoyThatEndsBeforeItIsComplete(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	if c.q.takeover.held["l"] == nil || c.q.takeover.held[envoy.InboundListener] == nil {
		t.Error("the listeners of the client are not remembered")
	}
	c.report(Takeover{})
	if state := c.q.takeover; state.held != nil || state.verdicts != nil || !state.known {
		t.Errorf("without a later Envoy, the state is %+v", state)
	}
	c.update("2", "a")
	if len(c.q.takeover.updates) != 1 {
		t.Errorf("remembered updates are %v, want the one that takes something away: another replica may report a takeover late", c.q.takeover.updates)
	}
	c.wait(takeoverReport + time.Nanosecond)
	c.update("3", "a", "b")
	c.wait(takeoverReport + time.Nanosecond)
	c.place(granting(t, envoy.InboundListener, "2", "a", "b", "c"))
	c.expect("LDS inbound-listener")
	c.ack(resourcetype.Listeners)
	c.place(granting(t, envoy.InboundListener, "3", "a", "b", "c", "d"))
	c.expect("LDS inbound-listener")
	c.ack(resourcetype.Listeners)
	if _, remembered := c.q.takeover.updates[envoy.InboundListener]; remembered || c.q.takeover.updates != nil {
		t.Errorf("remembered updates are %v, want none: the inbound listener only grants more", c.q.takeover.updates)
	}
}

// TestDrainIsRecognizedByItsCluster reconnects a client that drains while no later Envoy is known.
func TestDrainIsRecognizedByItsCluster(t *testing.T) {
	for name, test := range map[string]struct {
		awaits, hasCluster, hasDraining bool
		want                            bool
	}{
		"a client with the cluster":            {true, true, true, true},
		"a client without the cluster":         {true, true, false, false},
		"a client that cannot have another":    {false, true, true, false},
		"a control plane without the cluster":  {true, false, true, false},
		"a client and a later Envoy, reported": {true, true, true, true},
	} {
		c := newConversation(t)
		c.put(resourcetype.Clusters, draining, "1")
		if test.hasCluster {
			c.q.drainingCluster = c.snapshot.contents[resourcetype.Clusters][draining]
		}
		delete(c.snapshot.contents[resourcetype.Clusters], draining)
		if test.awaits {
			c.q.awaitTakeover()
		}
		reported := strings.Contains(name, "reported")
		if reported {
			c.report(complete)
		}
		initial := map[string]string{"c": "1"}
		if test.hasDraining {
			initial[draining] = "1"
		}
		c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: initial})
		state := c.q.takeover
		if got := state.drains(); got != test.want {
			t.Errorf("%s: drains %t, want %t", name, got, test.want)
		}
		if !test.want {
			continue
		}
		want := c.now.Add(returnTime)
		if reported {
			want = time.Time{}
		}
		if !state.Earlier || !state.endsAt.Equal(want) {
			t.Errorf("%s: earlier %t, serves again at %s; want true and %s", name, state.Earlier, state.endsAt, want)
		}
	}
}

// TestUnsureVersionsOfEarlierStreams reconnects clients whose versions say that they may not have applied a listener.
func TestUnsureVersionsOfEarlierStreams(t *testing.T) {
	first := newTakeover(t)
	first.report(started)
	first.place(granting(t, "l", "2", "a"))
	r := first.q.next(first.snapshot, first.now)
	unsure := r.Resources[0].WireVersion()
	if _, marked := resource.CutUnsureMark(unsure); !marked {
		t.Fatalf("the version %s does not say that the client may not apply the listener", unsure)
	}
	for name, test := range map[string]struct {
		takeover *Takeover
		sent     []string
		updates  int
	}{
		"no other Envoy is possible":  {nil, nil, 0},
		"another Envoy has started":   {&started, nil, 1},
		"another Envoy has taken on":  {&earlyOn, []string{"LDS -l"}, 0},
		"nothing is known about that": {&Takeover{}, nil, 1},
	} {
		c := newConversation(t)
		c.place(granting(t, "l", "2", "a"))
		if test.takeover != nil {
			c.report(*test.takeover)
		}
		c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Listeners.URL(), InitialResourceVersions: map[string]string{"l": unsure}})
		c.expect(test.sent...)
		if test.takeover == nil {
			continue
		}
		if got := c.q.takeover.updates; len(got) != test.updates || test.updates == 1 && !got["l"].Equal(c.now) {
			t.Errorf("%s: remembered updates are %v, want %d, answered now", name, got, test.updates)
		}
	}
}

// TestVersionsOfSureListeners sends listeners without the mark where the client certainly applies them, or loses nothing.
func TestVersionsOfSureListeners(t *testing.T) {
	for name, test := range map[string]struct {
		takeover *Takeover
		servers  []string
		want     bool
	}{
		"no other Envoy is possible":  {nil, []string{"a"}, false},
		"no other Envoy has started":  {&Takeover{}, []string{"a"}, false},
		"another Envoy, less":         {&started, []string{"a"}, true},
		"another Envoy, more":         {&started, []string{"a", "b", "c"}, false},
		"another Envoy, new listener": {&started, nil, false},
	} {
		c := newTakeover(t)
		if test.takeover != nil {
			c.report(*test.takeover)
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
	c := newTakeover(t)
	c.report(started)
	held := c.q.takeover.held["l"]
	less, more := granting(t, "l", "2", "a"), granting(t, "l", "3", "a", "b", "c")
	if !c.q.losesGrant("l", held.Hash(), less) || c.q.losesGrant("l", held.Hash(), more) {
		t.Error("fewer servers lose nothing, or more lose something")
	}
	c.q.takeover.verdicts["l"] = verdict{before: held.Hash(), after: more.Hash(), loses: true}
	if !c.q.losesGrant("l", held.Hash(), more) {
		t.Error("what is remembered is compared again")
	}
	if !c.q.losesGrant("l", less.Hash(), more) {
		t.Error("a client with another version than the remembered one loses nothing for sure")
	}
	c.q.takeover.held["l"] = less
	if c.q.losesGrant("l", less.Hash(), more) {
		t.Error("the verdict about another predecessor counts")
	}
	c.q.takeover.verdicts = nil
	if !c.q.losesGrant(envoy.InboundListener, less.Hash(), granting(t, envoy.InboundListener, "2", "a")) || c.q.losesGrant("l", less.Hash(), more) {
		t.Error("without remembered verdicts, there is none")
	}
}

// TestRevokedListenerIsForgotten removes a listener of a client that drains.
func TestRevokedListenerIsForgotten(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	c.report(earlyOn)
	c.expectDrain()
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS -l")
	state, st := c.q.takeover, &c.q.types[resourcetype.Listeners]
	if version, _ := st.versions.get("l"); version != stateRevoked || state.held["l"] != nil || len(state.verdicts) != 0 || len(st.dirty) != 0 {
		t.Errorf("after the removal, version %v, held %v, verdicts %v, dirty %v; want a revoked listener and nothing else", version, state.held["l"], state.verdicts, st.dirty)
	}
}

// TestReportsAreRepeated reports the same takeover several times.
func TestReportsAreRepeated(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	c.update("2", "a")
	c.report(started)
	c.report(complete)
	c.wait(takeoverTime - time.Second)
	c.report(complete)
	c.wait(time.Second)
	c.expectDrain("LDS -l") // when the first report says so, with what was updated before
}

// TestNewListenerBeforeTheTakeover sends a listener that has no predecessor: it took nothing away.
func TestNewListenerBeforeTheTakeover(t *testing.T) {
	c := newTakeover(t)
	c.report(started)
	c.place(granting(t, "new", "1", "a"))
	c.expect("LDS new")
	c.ack(resourcetype.Listeners)
	c.report(earlyOn)
	c.expectDrain()
}

// TestListenersOutsideTheSnapshot reports a takeover while the client has listeners that are being removed.
func TestListenersOutsideTheSnapshot(t *testing.T) {
	c := newTakeover(t)
	c.remove(resourcetype.Listeners, "l")
	c.remove(resourcetype.Listeners, envoy.InboundListener)
	c.report(started)
	if held := c.q.takeover.held; len(held) != 0 {
		t.Errorf("remembered are %v, want none", held)
	}
	c.expect("LDS -inbound-listener -l")
}

// TestListenersAreRememberedAgain reports a later Envoy again while a change is not sent yet. What the client has is what was remembered.
func TestListenersAreRememberedAgain(t *testing.T) {
	c := newTakeover(t)
	c.report(earlyOn)
	c.expectDrain()
	c.report(Takeover{})
	c.place(granting(t, "l", "2", "a", "b", "c"))
	c.report(earlyOn)
	c.expect("LDS l")
}

// TestCurrentListenersWaitForNothing compares everything again while it is not known whether there is another Envoy.
func TestCurrentListenersWaitForNothing(t *testing.T) {
	c := newTakeover(t)
	c.q.awaitTakeover()
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
	if _, unsure := resource.CutUnsureMark(r.Resources[0].WireVersion()); unsure || len(c.q.takeover.updates) != 0 {
		t.Errorf("a grant counts as a loss; updates are %v", c.q.takeover.updates)
	}
}

// TestListenersOfAClientThatServesAgain are sent in place of removed ones, so they take nothing away.
func TestListenersOfAClientThatServesAgain(t *testing.T) {
	c := newTakeover(t)
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
	c := newTakeover(t)
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
