package delta

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// withClusters returns a conversation in which two clusters, in the order of their names, are acknowledged.
func withClusters(t *testing.T, first, second string) *conversation {
	t.Helper()
	c := newConversation(t)
	c.put(resourcetype.Clusters, first, "1")
	c.put(resourcetype.Clusters, second, "1")
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("CDS " + first + " " + second)
	c.ack(resourcetype.Clusters)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	return c
}

// removedServer returns a conversation in which an authorization server was removed, and everything is acknowledged.
func removedServer(t *testing.T) *conversation {
	t.Helper()
	c := withClusters(t, "app", envoy.ConfiguredAuthorizationCluster)
	c.remove(resourcetype.Clusters, "app")
	c.remove(resourcetype.Clusters, envoy.ConfiguredAuthorizationCluster)
	c.expect("CDS -app")
	c.ack(resourcetype.Clusters)
	return c
}

func TestSequencer_KeepsDecisionServersUntilDecisionsEnd(t *testing.T) {
	c := removedServer(t)
	if pending := c.q.pendingSince(c.now)[resourcetype.Clusters]; !pending.IsZero() {
		t.Errorf("clusters are pending since %s, want acknowledged", pending)
	}
	if got, want := c.q.deadline(), c.now.Add(removalDelay); !got.Equal(want) {
		t.Errorf("deadline %s, want %s", got, want)
	}
	c.wait(removalDelay - time.Second)
	c.expect()
	c.wait(time.Second)
	c.expect("CDS -" + envoy.ConfiguredAuthorizationCluster)
	c.ack(resourcetype.Clusters)
	c.expect()
	if got := c.q.deadline(); !got.IsZero() {
		t.Errorf("unexpected deadline %s", got)
	}
}

// earlierEgress returns a conversation in which the cluster of a host outside the mesh was removed while all such hosts are allowed.
func earlierEgress(t *testing.T) *conversation {
	t.Helper()
	c := withClusters(t, "example.com:80", envoy.PassthroughCluster)
	c.remove(resourcetype.Clusters, "example.com:80")
	c.expect()
	return c
}

func TestSequencer_KeepsEarlierEgressWhileAllIsAllowed(t *testing.T) {
	c := earlierEgress(t)
	c.wait(removalDelay)
	c.expect("CDS -example.com:80")
	c.ack(resourcetype.Clusters)
	c.expect()
}

func TestSequencer_RemovesEarlierEgressThatIsNotAllowed(t *testing.T) {
	c := earlierEgress(t)
	c.wait(time.Second)
	c.remove(resourcetype.Clusters, envoy.PassthroughCluster)
	c.expect("CDS -example.com:80 -" + envoy.PassthroughCluster)
	c.ack(resourcetype.Clusters)
	c.expect()
	if got := c.q.deadline(); !got.IsZero() {
		t.Errorf("unexpected deadline %s", got)
	}
}

func TestSequencer_BlockedRemovalIsNoDeadline(t *testing.T) {
	c := removedServer(t)
	c.put(resourcetype.Clusters, "other", "1")
	c.expect("CDS other")
	c.wait(removalDelay)
	c.expect()
	// The client has not acknowledged the last response. A deadline in the past would make the stream try again without a pause.
	if got := c.q.deadline(); !got.IsZero() && !got.After(c.now) {
		t.Errorf("the deadline is %s, want a later one than %s", got, c.now)
	}
	c.ack(resourcetype.Clusters)
	c.expect("CDS -" + envoy.ConfiguredAuthorizationCluster)
}

func TestSequencer_KeepsDecisionServerThatIsUsedAgain(t *testing.T) {
	c := removedServer(t)
	c.wait(time.Second)
	c.put(resourcetype.Clusters, envoy.ConfiguredAuthorizationCluster, "1")
	c.expect()
	c.wait(removalDelay)
	c.expect()
	// A later removal waits anew.
	c.remove(resourcetype.Clusters, envoy.ConfiguredAuthorizationCluster)
	c.expect()
	c.wait(removalDelay)
	c.expect("CDS -" + envoy.ConfiguredAuthorizationCluster)
}
