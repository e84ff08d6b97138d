package delta

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// newEmpty returns a conversation with a client that has acknowledged that there are neither clusters nor listeners.
func newEmpty(t *testing.T) *conversation {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	return c
}

// newConnected returns a conversation with a client that has a cluster c with endpoints, a listener l and routes r.
func newConnected(t *testing.T) *conversation {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.put(resourcetype.Listeners, "l", "1")
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c")
	c.subscribe(resourcetype.Endpoints, "c")
	c.expect("EDS c")
	c.ack(resourcetype.Endpoints)
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	c.ack(resourcetype.Routes)
	c.expect()
	return c
}

// TestIdleClientNeedsNoMemory removes many clusters. What was remembered for them is released.
func TestIdleClientNeedsNoMemory(t *testing.T) {
	c := newConnected(t)
	for i := range 100 {
		c.put(resourcetype.Clusters, fmt.Sprint("c", i), "1")
	}
	c.expect("CDS " + strings.Join(slices.Sorted(maps.Keys(c.q.types[resourcetype.Clusters].dirty)), " "))
	c.ack(resourcetype.Clusters)
	for i := range 100 {
		c.remove(resourcetype.Clusters, fmt.Sprint("c", i))
	}
	c.acceptAll()
	if v := &c.q.types[resourcetype.Clusters].versions; v.peak > 1 || v.len() != 1 {
		t.Errorf("memory for %d of %d names remains, want for one", v.peak, v.len())
	}
	if c.q.warming != nil {
		t.Errorf("clusters %v warm, want none", c.q.warming)
	}
}

// TestOverdueWaitDelaysOnce sends a listener although its cluster did not warm. Later changes do not wait for that cluster.
func TestOverdueWaitDelaysOnce(t *testing.T) {
	c := newEmpty(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.put(resourcetype.Listeners, "l", "1")
	c.expect() // the client does not ask for the endpoints
	c.wait(ackTimeout)
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
}

// TestUndividedResponses sends everything at once to a client that needs it.
func TestUndividedResponses(t *testing.T) {
	c := newConversation(t)
	c.q.undivided = true
	for i := range 5 {
		c.put(resourcetype.Clusters, fmt.Sprint("c", i), strings.Repeat("x", 1<<20))
	}
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c0 c1 c2 c3 c4")
	c.put(resourcetype.Listeners, "l", "1")
	c.subscribe(resourcetype.Routes, "missing")
	c.expect("RDS -missing") // and no empty routes
}

// TestRemovalsWhileAdditionsWait removes routes while additions of routes wait for clusters.
func TestRemovalsWhileAdditionsWait(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "c", "2")
	c.expect("CDS c", "EDS c")
	c.remove(resourcetype.Routes, "r")
	c.expect("RDS -r")
}

// TestAnswersWhileClustersWarm answers at once what holds the acknowledgement of clusters, and removes nothing that they may use.
func TestAnswersWhileClustersWarm(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "d", "1")
	c.expect("CDS d")
	c.subscribe(resourcetype.Endpoints, "missing")
	c.expect("EDS -missing")
	c.ack(resourcetype.Endpoints)
	c.expect() // once
	c.remove(resourcetype.Endpoints, "c")
	c.expect()
	c.subscribe(resourcetype.Routes, "later")
	c.expect("RDS later") // empty: the listeners are synced
	c.ack(resourcetype.Clusters)
	c.expect("EDS -c")
}

// TestAbsenceWaitsForListeners reports missing routes only when the client has the listeners that may refer to others.
func TestAbsenceWaitsForListeners(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	c.subscribe(resourcetype.Routes, "missing")
	c.expect()
	if got, want := c.q.deadline(), c.now.Add(ackTimeout); !got.Equal(want) {
		t.Errorf("the next look is at %s, want %s", got, want)
	}
	c.ack(resourcetype.Listeners)
	c.expect("RDS missing")
}

// TestFirstAnswerWaitsForClusters answers a client without listeners once its clusters are there, or after the wait.
func TestFirstAnswerWaitsForClusters(t *testing.T) {
	for name, ack := range map[string]bool{"acknowledged": true, "overdue": false} {
		c := newConversation(t)
		c.put(resourcetype.Clusters, "c", "1")
		c.subscribe(resourcetype.Clusters)
		c.expect("CDS c")
		c.subscribe(resourcetype.Listeners)
		c.expect()
		if got, want := c.q.deadline(), c.now.Add(ackTimeout); !got.Equal(want) {
			t.Errorf("%s: the next look is at %s, want %s", name, got, want)
		}
		if ack {
			c.ack(resourcetype.Clusters)
		} else {
			c.wait(ackTimeout)
		}
		c.expect("LDS")
	}
}

// TestEachWaitIsMeasuredFromItsBegin lets a listener wait, long after an earlier wait or the first answer.
func TestEachWaitIsMeasuredFromItsBegin(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.wait(ackTimeout + time.Second)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Listeners, "l", "1")
	c.expect("CDS c")
	c.ack(resourcetype.Listeners)
	c.expect() // waits for the cluster from now on
	c.wait(ackTimeout - time.Second)
	c.expect()
	c.ack(resourcetype.Clusters)
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.expect()
	c.wait(ackTimeout + time.Second)
	c.put(resourcetype.Clusters, "c", "2")
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("CDS c")
	c.wait(ackTimeout - time.Second)
	c.expect()
}

// TestWaitForAHandoverIsNoWaitForClusters keeps a listener back until a handover is known. It then waits for its clusters as others do.
func TestWaitForAHandoverIsNoWaitForClusters(t *testing.T) {
	c := newConnected(t)
	c.q.awaitHandover()
	c.put(resourcetype.Listeners, "l", "2")
	c.expect()
	c.wait(ackTimeout + time.Second)
	c.put(resourcetype.Clusters, "c", "2")
	c.expect("CDS c", "EDS c")
	c.report(Handover{})
	c.expect()
}

// TestChangesAreMeasuredFromTheirBegin compares everything without a difference, and changes a cluster later.
func TestChangesAreMeasuredFromTheirBegin(t *testing.T) {
	c := newConnected(t)
	c.q.markAllChanged(c.snapshot, c.now)
	c.expect()
	c.wait(time.Minute)
	c.put(resourcetype.Clusters, "c", "2")
	began := c.now
	c.wait(time.Second)
	c.put(resourcetype.Clusters, "d", "1")
	c.expect("CDS c d", "EDS c")
	if got := c.q.types[resourcetype.Clusters].inFlightSince; !got.Equal(began) {
		t.Errorf("the response is about a change at %s, want %s, the first of them", got, began)
	}
}

// TestRemovedNamesAreNotSentAgain removes resources of each state, and compares everything again.
func TestRemovedNamesAreNotSentAgain(t *testing.T) {
	c := newConnected(t)
	c.subscribe(resourcetype.Endpoints, "absent")
	c.expect("EDS -absent")
	c.ack(resourcetype.Endpoints)
	c.subscribe(resourcetype.Routes, "empty")
	c.expect("RDS empty")
	c.ack(resourcetype.Routes)
	c.remove(resourcetype.Routes, "r")
	c.expect("RDS -r")
	c.ack(resourcetype.Routes)
	c.q.markAllChanged(c.snapshot, c.now)
	c.expect()
	for name, want := range map[string]resource.Version{"r": stateRemoved, "empty": stateEmptyRoutes} {
		if got, _ := c.q.types[resourcetype.Routes].versions.get(name); got != want {
			t.Errorf("the state of routes %s is %v, want %v", name, got, want)
		}
	}
	if got, _ := c.q.types[resourcetype.Endpoints].versions.get("absent"); got != stateAbsent {
		t.Errorf("the state of absent endpoints is %v, want %v", got, stateAbsent)
	}
	c.put(resourcetype.Endpoints, "absent", "1")
	c.expect("EDS absent")
}

// TestWildcardClientForgetsWhatIsRemoved removes a cluster that the client did not ask for by name, and one that it did.
func TestWildcardClientForgetsWhatIsRemoved(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "d", "1")
	c.expect("CDS d")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "missing")
	c.expect("CDS -missing")
	c.ack(resourcetype.Clusters)
	c.remove(resourcetype.Clusters, "d")
	c.expect("CDS -d")
	c.ack(resourcetype.Clusters)
	if _, known := c.q.types[resourcetype.Clusters].versions.get("d"); known {
		t.Error("a removed cluster is remembered")
	}
	if got, _ := c.q.types[resourcetype.Clusters].versions.get("missing"); got != stateAbsent {
		t.Errorf("the state of a missing cluster is %v, want %v", got, stateAbsent)
	}
}

// TestAdditionsWaitFromTheirOwnBegin adds routes while a removal of others waits already. The end of its wait is not theirs.
func TestAdditionsWaitFromTheirOwnBegin(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "c", "2")
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("CDS c", "EDS c")
	c.remove(resourcetype.Listeners, "l")
	c.remove(resourcetype.Routes, "r")
	c.expect()
	c.wait(ackTimeout - time.Second)
	c.put(resourcetype.Routes, "new", "1")
	c.subscribe(resourcetype.Routes, "new")
	c.expect()
	c.wait(time.Second)
	c.expect("LDS -l", "RDS -r")
}

// TestRevokedListenerIsRemovedOnce removes a listener from the snapshot that a client that drains has lost already.
func TestRevokedListenerIsRemovedOnce(t *testing.T) {
	c := newHandover(t)
	c.report(earlyOn)
	c.expectDrain()
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS -l")
	c.ack(resourcetype.Listeners)
	c.remove(resourcetype.Listeners, "l")
	c.expect()
}

// TestOnlyListenersAreRemembered changes a cluster while another Envoy starts.
func TestOnlyListenersAreRemembered(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	for _, text := range []string{"1", "2"} {
		c.put(resourcetype.Clusters, "c", text)
		c.expect("CDS c")
		c.ack(resourcetype.Clusters)
	}
	if len(c.q.handover.updates) > 0 || c.q.handover.held["c"] != nil {
		t.Errorf("remembered are %v and %v, want no cluster", c.q.handover.updates, c.q.handover.held["c"])
	}
}

// TestEndedWaitIsForgotten unsubscribes from routes that wait, and subscribes again later. They wait anew.
func TestEndedWaitIsForgotten(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "c", "2")
	c.expect("CDS c", "EDS c")
	c.put(resourcetype.Routes, "new", "1")
	c.subscribe(resourcetype.Routes, "new")
	c.expect()
	c.unsubscribe(resourcetype.Routes, "new")
	c.expect()
	c.wait(ackTimeout)
	c.subscribe(resourcetype.Routes, "new")
	c.expect()
}
