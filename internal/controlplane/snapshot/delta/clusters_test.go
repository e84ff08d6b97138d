package delta

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestEndpointsBeforeReadiness changes endpoints when the client has accepted everything else. Both are sent.
func TestEndpointsBeforeReadiness(t *testing.T) {
	c := newReadinessConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c " + names.UnreadyCluster)
	c.subscribe(resourcetype.Endpoints, "c")
	c.expect("EDS c")
	c.ack(resourcetype.Endpoints)
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Endpoints, "c", "2")
	c.expect("EDS c", "CDS -"+names.UnreadyCluster)
}

// TestWithdrawalWaitsForListeners replaces the cluster of a destination that is gone after the listeners that may refer to it.
func TestWithdrawalWaitsForListeners(t *testing.T) {
	c := newConnected(t)
	c.addDestination(1)
	c.subscribe(resourcetype.Clusters, onDemand(1))
	c.expect("CDS " + onDemand(1))
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Endpoints, onDemand(1))
	c.expect("EDS " + onDemand(1))
	c.ack(resourcetype.Endpoints)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	delete(c.snapshot.contents[resourcetype.Endpoints], onDemand(1))
	c.put(resourcetype.Clusters, onDemand(1), "without endpoints")
	c.expect()
	c.ack(resourcetype.Listeners)
	c.expect("CDS " + onDemand(1))
}

// TestEndpointsFollowTheirCluster removes a cluster and adds it again with the same endpoints.
func TestEndpointsFollowTheirCluster(t *testing.T) {
	c := newConnected(t)
	c.remove(resourcetype.Clusters, "c")
	c.expect("CDS -c", "EDS c")
	c.ack(resourcetype.Clusters)
	c.ack(resourcetype.Endpoints)
	if _, warms := c.q.warming["c"]; warms {
		t.Error("a removed cluster warms")
	}
	c.put(resourcetype.Clusters, "c", "1")
	c.expect("CDS c", "EDS c")
	c.put(resourcetype.Clusters, "d", "1") // the client has not asked for endpoints of this one
	c.ack(resourcetype.Clusters)
	c.ack(resourcetype.Endpoints)
	c.expect("CDS d")
	if _, known := c.q.types[resourcetype.Endpoints].versions.get("d"); known {
		t.Error("the endpoints of a cluster are sent without a subscription")
	}
}

// TestRejectedClustersAreSentAgainWithEndpoints divides a rejected response. Each part warms its clusters again.
func TestRejectedClustersAreSentAgainWithEndpoints(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Clusters, "c", "2")
	c.put(resourcetype.Clusters, "d", "1")
	c.put(resourcetype.Endpoints, "d", "1")
	c.expect("CDS c d", "EDS c")
	c.ack(resourcetype.Endpoints)
	c.nack(resourcetype.Clusters, "no")
	c.expect("CDS c", "EDS c")
	c.ack(resourcetype.Endpoints)
	c.ack(resourcetype.Clusters)
	c.expect("CDS d")
	if _, known := c.q.types[resourcetype.Endpoints].versions.get("d"); known {
		t.Error("the endpoints of a part are sent without a subscription")
	}
}

// TestPartsLeaveOutWhatHasChanged divides a rejected response after its resources have changed, or are gone.
func TestPartsLeaveOutWhatHasChanged(t *testing.T) {
	c := newConversation(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		c.put(resourcetype.Routes, name, "1")
	}
	c.subscribe(resourcetype.Routes, "a", "b", "c", "d")
	c.expect("RDS a b c d")
	c.nack(resourcetype.Routes, "no")
	c.remove(resourcetype.Routes, "a")
	c.remove(resourcetype.Routes, "b")
	c.unsubscribe(resourcetype.Routes, "c")
	c.expect("RDS -a -b")
	c.ack(resourcetype.Routes)
	c.expect("RDS d")
	c.nack(resourcetype.Routes, "no")
	c.expect()
}

// TestUnknownDestinationIsAnsweredAtOnce asks for a destination that does not exist while listeners have no answer: connections wait for it.
func TestUnknownDestinationIsAnsweredAtOnce(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
	c.put(resourcetype.Clusters, onDemand(1), "without endpoints")
	c.subscribe(resourcetype.Clusters, onDemand(1))
	c.expect("CDS " + onDemand(1))
	c.ack(resourcetype.Clusters)
	c.ack(resourcetype.Listeners)
	c.remove(resourcetype.Clusters, onDemand(1))
	c.expect("CDS -" + onDemand(1))
}

// TestEndpointsWithoutASubscription adds and removes a cluster whose endpoints the client has not asked for.
func TestEndpointsWithoutASubscription(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "d", "1")
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("CDS d")
	c.ack(resourcetype.Clusters)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	c.remove(resourcetype.Clusters, "d")
	c.expect("CDS -d")
	st := &c.q.types[resourcetype.Endpoints]
	if _, known := st.versions.get("d"); known || len(st.dirty) > 0 {
		t.Errorf("endpoints are known: %t, and changed are %v; want nothing", known, st.dirty)
	}
}

// TestPartsOfOtherTypesWarmNothing divides a rejected response with routes that have the name of a cluster.
func TestPartsOfOtherTypesWarmNothing(t *testing.T) {
	c := newConnected(t)
	for _, name := range []string{"c", "d"} {
		c.put(resourcetype.Routes, name, "1")
	}
	c.subscribe(resourcetype.Routes, "c", "d")
	c.expect("RDS c d")
	c.nack(resourcetype.Routes, "no")
	c.expect("RDS c")
	c.ack(resourcetype.Routes)
	c.expect("RDS d")
	c.ack(resourcetype.Routes)
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
}
