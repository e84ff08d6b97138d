package delta

import (
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func newReadinessCluster(t *testing.T) *resource.Content {
	t.Helper()
	c, err := resource.New(envoy.UnreadyCluster())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newReadinessConversation returns a conversation with a new client.
func newReadinessConversation(t *testing.T) *conversation {
	c := newConversation(t)
	c.q.readinessCluster = newReadinessCluster(t)
	return c
}

// hasReadinessCluster reports whether the client was sent the readiness cluster and not its removal.
func (c *conversation) hasReadinessCluster() bool {
	_, known := c.q.types[resourcetype.Clusters].versions.get(names.UnreadyCluster)
	return known
}

// acceptAll accepts all responses, except those with routes in rejected.
func (c *conversation) acceptAll(rejected ...string) {
	c.t.Helper()
	for r := c.q.next(c.snapshot, c.now); r != nil; r = c.q.next(c.snapshot, c.now) {
		if r.Type == resourcetype.Routes && slices.ContainsFunc(r.Resources, func(res resource.Versioned) bool { return slices.Contains(rejected, res.Name()) }) {
			c.nack(resourcetype.Routes, "no")
		} else {
			c.ack(r.Type)
		}
	}
}

// acceptClustersAndListeners is the start of each stream.
func (c *conversation) acceptClustersAndListeners() {
	c.t.Helper()
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Listeners, "l", "1")
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.acceptAll()
}

func TestReadiness_AfterEverythingIsAccepted(t *testing.T) {
	c := newReadinessConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c " + names.UnreadyCluster)
	c.ack(resourcetype.Clusters)
	if c.expect(); !c.hasReadinessCluster() {
		t.Fatal("ready without listeners")
	}
	c.put(resourcetype.Listeners, "l", "1")
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Listeners)
	c.acceptAll()
	if !c.hasReadinessCluster() {
		t.Fatal("ready before the client has subscribed to the routes of its listeners")
	}
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	if !c.hasReadinessCluster() {
		t.Fatal("ready before the routes were accepted")
	}
	c.ack(resourcetype.Routes)
	c.expect("CDS -" + names.UnreadyCluster)
	c.ack(resourcetype.Clusters)
	c.put(resourcetype.Routes, "r", "2")
	c.acceptAll("r")
	if c.hasReadinessCluster() {
		t.Error("a ready client became unready after it rejected a later change")
	}
}

func TestReadiness_NotWhileSomethingIsRejected(t *testing.T) {
	c := newReadinessConversation(t)
	c.acceptClustersAndListeners()
	c.subscribe(resourcetype.Routes, "r")
	c.acceptAll("r")
	c.wait(time.Hour)
	if c.acceptAll("r"); !c.hasReadinessCluster() {
		t.Fatal("a client that rejects its only routes is ready")
	}
	c.put(resourcetype.Routes, "r", "2")
	if c.acceptAll(); c.hasReadinessCluster() {
		t.Error("a client that has accepted everything is not ready")
	}
}

// A client that does not subscribe to some routes is ready after a timeout.
func TestReadiness_UnsubscribedRoutesTimeOut(t *testing.T) {
	c := newReadinessConversation(t)
	c.acceptClustersAndListeners()
	if deadline := c.q.deadline(); !deadline.Equal(c.now.Add(ackTimeout)) {
		t.Errorf("deadline %s, want %s", deadline, c.now.Add(ackTimeout))
	}
	c.wait(ackTimeout)
	if c.acceptAll(); c.hasReadinessCluster() {
		t.Error("not ready after the timeout")
	}
	if deadline := c.q.deadline(); !deadline.IsZero() {
		t.Errorf("unexpected deadline %s", deadline)
	}
}

// A client that was ready stays ready after it reconnects to another replica, and one that was not stays unready.
func TestReadiness_SurvivesReconnect(t *testing.T) {
	for name, test := range map[string]struct {
		initial map[string]string
		before  bool
	}{
		"was ready":     {map[string]string{"c": "1"}, false},
		"was not ready": {map[string]string{"c": "1", names.UnreadyCluster: newReadinessCluster(t).Hash().String()}, true},
		"is new":        {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newReadinessConversation(t)
			c.put(resourcetype.Clusters, "c", "1")
			c.put(resourcetype.Listeners, "l", "1")
			c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: test.initial})
			if c.acceptAll(); c.hasReadinessCluster() != test.before {
				t.Errorf("before it requests listeners, not ready is %t, want %t", c.hasReadinessCluster(), test.before)
			}
			c.subscribe(resourcetype.Listeners)
			c.acceptAll()
			c.wait(ackTimeout) // a client that reconnects may have routes that it has not requested yet
			if c.acceptAll(); c.hasReadinessCluster() {
				t.Error("not ready after everything was accepted")
			}
		})
	}
}
