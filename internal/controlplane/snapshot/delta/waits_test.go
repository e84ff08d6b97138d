package delta

import (
	"fmt"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestListenersWaitForTheCertificate keeps listeners back while the certificate of the client is being issued.
func TestListenersWaitForTheCertificate(t *testing.T) {
	c := newConnected(t)
	c.snapshot.pending = envoy.ServiceCertName
	c.subscribe(resourcetype.Secrets, envoy.ServiceCertName)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect()
	c.put(resourcetype.Secrets, envoy.ServiceCertName, "1")
	c.expect("SDS " + envoy.ServiceCertName)
	c.ack(resourcetype.Secrets)
	c.expect("LDS l")
}

// TestClusterWithoutEndpointsIsWarm gives endpoints to a cluster that was warm without them. Listeners do not wait for a subscription.
func TestClusterWithoutEndpointsIsWarm(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "d", "1")
	c.expect("CDS d")
	c.ack(resourcetype.Clusters)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Endpoints, "d", "1")
	c.put(resourcetype.Listeners, "l", "3")
	c.expect("LDS l")
}

// TestEachClusterWarms acknowledges the endpoints of one of two clusters, and rejects those of the other one.
func TestEachClusterWarms(t *testing.T) {
	for _, order := range [][]string{{"d", "e"}, {"e", "d"}} {
		c := newConnected(t)
		for _, name := range order {
			c.put(resourcetype.Clusters, name, "1")
			c.put(resourcetype.Endpoints, name, "1")
		}
		c.expect("CDS d e")
		c.ack(resourcetype.Clusters)
		c.subscribe(resourcetype.Endpoints, order[0])
		c.expect("EDS " + order[0])
		c.ack(resourcetype.Endpoints)
		c.put(resourcetype.Listeners, "l", "2")
		c.expect()
		c.subscribe(resourcetype.Endpoints, order[1])
		c.expect("EDS " + order[1])
		c.nack(resourcetype.Endpoints, "no")
		c.expect()
		c.wait(ackTimeout)
		c.expect("LDS l")
	}
}

// TestRemovalsWaitForWhatMayRefer removes a cluster and a secret while something that may use them has no answer.
func TestRemovalsWaitForWhatMayRefer(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Secrets, "s", "1")
	c.subscribe(resourcetype.Secrets, "s")
	c.expect("SDS s")
	c.ack(resourcetype.Secrets)
	c.put(resourcetype.Routes, "r", "2")
	c.expect("RDS r")
	c.remove(resourcetype.Clusters, "c")
	c.expect()
	c.ack(resourcetype.Routes)
	c.expect("CDS -c", "EDS c")
	c.remove(resourcetype.Secrets, "s")
	c.expect()
	c.ack(resourcetype.Endpoints)
	c.ack(resourcetype.Clusters)
	c.expect("SDS -s")
	c.ack(resourcetype.Secrets)

	c.put(resourcetype.Secrets, "t", "1")
	c.subscribe(resourcetype.Secrets, "t")
	c.expect("SDS t")
	c.ack(resourcetype.Secrets)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	c.remove(resourcetype.Secrets, "t")
	c.expect()
	c.ack(resourcetype.Listeners)
	c.expect("SDS -t")
}

// TestRejectedListenersAreNotSynced removes routes while the client has not accepted its listeners, also when it has accepted another part of the response since.
func TestRejectedListenersAreNotSynced(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Listeners, "a", "1")
	c.put(resourcetype.Listeners, "b", "1")
	c.expect("LDS a b")
	c.nack(resourcetype.Listeners, "no")
	c.expect("LDS a")
	c.nack(resourcetype.Listeners, "no")
	c.expect("LDS b")
	c.ack(resourcetype.Listeners)
	c.remove(resourcetype.Routes, "r")
	c.expect()

	undivided := newConnected(t)
	undivided.q.undivided = true
	undivided.put(resourcetype.Listeners, "l", "2")
	undivided.expect("LDS l")
	undivided.nack(resourcetype.Listeners, "no")
	undivided.remove(resourcetype.Routes, "r")
	undivided.expect()
	if undivided.q.types[resourcetype.Listeners].bisector.HasRejected() {
		t.Error("a client whose responses are not divided has a rejected part")
	}
}

// TestLoadedBeforeTheFirstRequest loads a destination for a client that has not asked for clusters.
func TestLoadedBeforeTheFirstRequest(t *testing.T) {
	c := newConversation(t)
	c.addDestination(1)
	c.q.load(setOf(onDemand(1)), c.snapshot, c.now)
	c.expect()
	pending := c.q.pendingSince(c.now.Add(-time.Hour))
	if got, want := pending[resourcetype.Clusters], c.now.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("clusters are pending since %s, want %s, the begin of the stream", got, want)
	}
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS " + onDemand(1))
}

// TestOrderOfBindingListeners updates a listener that binds a port together with others, whatever their order.
func TestOrderOfBindingListeners(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *conversation)
		want   []string
	}{
		"a removal after it": {func(c *conversation) { c.remove(resourcetype.Listeners, "z") }, []string{"LDS port"}},
		"a removal before what is current": {func(c *conversation) {
			c.remove(resourcetype.Listeners, "a")
			c.q.markChanged(resourcetype.Listeners, []string{"b"}, c.now)
		}, []string{"LDS port"}},
		"an addition before a removal": {func(c *conversation) { c.put(resourcetype.Listeners, "aa", "1"); c.remove(resourcetype.Listeners, "b") }, []string{"LDS aa port -b"}},
		"an addition after a removal":  {func(c *conversation) { c.put(resourcetype.Listeners, "c", "1"); c.remove(resourcetype.Listeners, "b") }, []string{"LDS c port -b"}},
		"nothing else":                 {func(*conversation) {}, []string{"LDS port"}},
	} {
		c := newConversation(t)
		for _, listener := range []string{"a", "b", bindingListener, "z"} {
			c.put(resourcetype.Listeners, listener, "1")
		}
		c.subscribe(resourcetype.Listeners)
		c.expect("LDS a b port z")
		c.ack(resourcetype.Listeners)
		c.put(resourcetype.Listeners, bindingListener, "2")
		test.change(c)
		t.Run(name, func(t *testing.T) { c.t = t; c.expect(test.want...) })
	}
}

// TestOwnClustersNeedTheirContent drains a client of a control plane that has no draining cluster.
func TestOwnClustersNeedTheirContent(t *testing.T) {
	c := newConversation(t)
	c.report(earlyOn)
	if got := c.q.withOwnClusters(c.snapshot); got != Snapshot(c.snapshot) {
		t.Errorf("the snapshot is %v, want it without own clusters", got)
	}
}

// TestReadinessNeedsBothTypes keeps a client unready that has asked for listeners alone, or that reports the readiness cluster.
func TestReadinessNeedsBothTypes(t *testing.T) {
	c := newReadinessConversation(t)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	if c.expect(); c.q.readinessCluster == nil {
		t.Error("a client without clusters is ready")
	}
	c = newReadinessConversation(t)
	readiness := c.q.readinessCluster
	for _, req := range []*discovery.DeltaDiscoveryRequest{
		{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: map[string]string{readiness.Name(): "1"}},
		{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: map[string]string{"c": "1"}}, // not the first request
		{TypeUrl: resourcetype.Listeners.URL(), InitialResourceVersions: map[string]string{"l": "1"}},
	} {
		c.send(req)
	}
	if c.q.readinessCluster != readiness || c.q.readyBefore {
		t.Error("a client that reports the readiness cluster was ready")
	}
}

// TestReadinessNeedsEachRoute leaves out the subscription to one of many routes.
func TestReadinessNeedsEachRoute(t *testing.T) {
	c := newReadinessConversation(t)
	c.acceptClustersAndListeners()
	var most []string
	for i := range 30 {
		name := fmt.Sprint("r", i)
		c.put(resourcetype.Routes, name, "1")
		most = append(most, name)
	}
	c.subscribe(resourcetype.Routes, most...) // all but r
	if c.acceptAll(); !c.hasReadinessCluster() {
		t.Error("a client without one of its routes is ready")
	}
}

// TestAnswersOfOtherTypesRecordNoListener acknowledges clusters while a listener has no answer.
func TestAnswersOfOtherTypesRecordNoListener(t *testing.T) {
	c := newHandover(t)
	c.report(started)
	c.place(granting(t, "l", "2", "a"))
	c.expect("LDS l")
	c.put(resourcetype.Clusters, "c", "1")
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	if at, remembered := c.q.handover.updates["l"]; !remembered || !at.IsZero() {
		t.Errorf("the update of the listener was answered at %s, want not yet", at)
	}
}
