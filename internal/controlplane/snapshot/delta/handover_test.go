package delta

import (
	"fmt"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

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

// newHandover returns a conversation with a client that has the listeners l and "inbound-listener", both with the servers a and b.
func newHandover(t *testing.T) *conversation {
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
func (c *conversation) report(handover Handover) { c.q.setHandover(handover, c.snapshot, c.now) }

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
	started  = Handover{Started: true}
	complete = Handover{Started: true, Complete: true}
	earlyOn  = Handover{Started: true, Complete: true, Earlier: true}
)

// TestListenersWaitUntilAHandoverIsKnown holds listeners back while another Envoy may have taken over.
func TestListenersWaitUntilAHandoverIsKnown(t *testing.T) {
	c := newHandover(t)
	c.q.awaitHandover()
	c.place(granting(t, "l", "2", "a", "b"))
	c.expect()
	c.report(Handover{})
	c.expect("LDS l")
}

// TestRevocationsOfAClientThatDrains takes away and grants while another Envoy takes over, and afterwards.
func TestRevocationsOfAClientThatDrains(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	c.update("2", "a", "b", "c") // more: sent as without a handover
	c.report(complete)
	c.q.markAllChanged(c.snapshot, c.now)
	c.expect()                   // not the draining cluster
	c.update("3", "a", "b", "c") // the same rights
	c.place(granting(t, "l", "4", "a", "b"))
	c.expect() // it may drain: not applied if it does, and too much to remove if it does not
	if got, want := c.q.deadline(), c.now.Add(handoverTime); !got.Equal(want) {
		t.Errorf("the next look is at %s, want %s: when the client certainly drains", got, want)
	}
	c.wait(handoverTime - time.Nanosecond)
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
	c := newHandover(t)
	c.report(complete)
	c.place(granting(t, "new", "1", "a"))
	c.expect("LDS new")
}

// TestUpdatesShortlyBeforeTheHandover repeats what a client may have received after it began to drain, and nothing else.
func TestUpdatesShortlyBeforeTheHandover(t *testing.T) {
	for name, test := range map[string]struct {
		handover Handover
		// ago is when an update was answered that takes something away; negative if it is not answered.
		ago     time.Duration
		removed bool
	}{
		"in flight":                      {complete, -1, true},
		"just before":                    {complete, time.Second, true},
		"at the limit":                   {complete, handoverTime, true},
		"before the limit":               {complete, handoverTime + time.Nanosecond, false},
		"reported late, just before":     {earlyOn, handoverTime + time.Second, true},
		"reported late, at the limit":    {earlyOn, handoverReport, true},
		"reported late, long before":     {earlyOn, handoverReport + time.Nanosecond, false},
		"reported late, in flight":       {earlyOn, -1, true},
		"another Envoy has only started": {started, time.Second, false},
	} {
		c := newHandover(t)
		c.report(started)
		c.place(granting(t, "l", "2", "a"))
		c.expect("LDS l")
		if test.ago >= 0 {
			c.ack(resourcetype.Listeners)
			c.wait(test.ago)
		}
		c.report(test.handover)
		if test.ago < 0 {
			c.ack(resourcetype.Listeners)
		}
		c.wait(handoverTime)
		var want []string
		if test.handover.Complete {
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
	c := newHandover(t)
	c.report(started)
	c.update("2", "a", "b", "c")
	c.report(earlyOn)
	c.expectDrain()
}

// TestClientThatServesAgain ends a handover: the later Envoy is gone.
func TestClientThatServesAgain(t *testing.T) {
	c := newHandover(t)
	c.report(complete)
	c.place(granting(t, "l", "2", "a"))
	c.expect()
	c.report(started) // before it drains
	if c.q.handover.held["l"] == nil || !c.q.handover.drainsAt.IsZero() {
		t.Error("a later Envoy that was complete and is not has ended, or the client still counts as one that will drain")
	}
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.expect()

	c.report(earlyOn)
	c.expectDrain("LDS -l")
	c.place(granting(t, "new", "1", "a"))
	c.report(Handover{})
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
	if state := c.q.handover; state.held != nil || state.verdicts != nil || state.Complete || state.Started || !state.endsAt.IsZero() {
		t.Errorf("without a later Envoy, the state is %+v", state)
	}
	c.update("3", "b") // takes away, and is an update
}

// TestLaterEnvoyComesBack loses the stream of the later Envoy for less than the time after which the client serves again.
func TestLaterEnvoyComesBack(t *testing.T) {
	c := newHandover(t)
	c.report(earlyOn)
	c.expectDrain()
	c.report(Handover{})
	c.wait(returnTime / 2)
	c.report(earlyOn)
	c.wait(returnTime)
	c.expect()
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS -l")
}

// TestLaterEnvoyThatEndsBeforeItIsComplete forgets what it remembered for the handover.
func TestLaterEnvoyThatEndsBeforeItIsComplete(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	if c.q.handover.held["l"] == nil || c.q.handover.held[envoy.InboundListener] == nil {
		t.Error("the listeners of the client are not remembered")
	}
	c.report(Handover{})
	if state := c.q.handover; state.held != nil || state.verdicts != nil || !state.known {
		t.Errorf("without a later Envoy, the state is %+v", state)
	}
	c.update("2", "a")
	if len(c.q.handover.updates) != 1 {
		t.Errorf("remembered updates are %v, want the one that takes something away: another replica may report a handover late", c.q.handover.updates)
	}
	c.wait(handoverReport + time.Nanosecond)
	c.update("3", "a", "b")
	c.wait(handoverReport + time.Nanosecond)
	c.place(granting(t, envoy.InboundListener, "2", "a", "b", "c"))
	c.expect("LDS inbound-listener")
	c.ack(resourcetype.Listeners)
	c.place(granting(t, envoy.InboundListener, "3", "a", "b", "c", "d"))
	c.expect("LDS inbound-listener")
	c.ack(resourcetype.Listeners)
	if _, remembered := c.q.handover.updates[envoy.InboundListener]; remembered || c.q.handover.updates != nil {
		t.Errorf("remembered updates are %v, want none: the inbound listener only grants more", c.q.handover.updates)
	}
}

// TestReportsAreRepeated reports the same handover several times.
func TestReportsAreRepeated(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	c.update("2", "a")
	c.report(started)
	c.report(complete)
	c.wait(handoverTime - time.Second)
	c.report(complete)
	c.wait(time.Second)
	c.expectDrain("LDS -l") // when the first report says so, with what was updated before
}

// TestNewListenerBeforeTheHandover sends a listener that has no predecessor: it took nothing away.
func TestNewListenerBeforeTheHandover(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	c.place(granting(t, "new", "1", "a"))
	c.expect("LDS new")
	c.ack(resourcetype.Listeners)
	c.report(earlyOn)
	c.expectDrain()
}
