package delta

import (
	"fmt"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestReportedNames reports names of an earlier stream: as many destinations as a client may have, and names that are no certificate.
func TestReportedNames(t *testing.T) {
	c := newConversation(t)
	initial := map[string]string{envoy.ServiceCertName: "1"}
	for n := range maxStubs + 10 {
		initial[onDemand(n)] = "1"
	}
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: initial})
	if got, want := c.q.types[resourcetype.Clusters].versions.len(), maxStubs+1; got != want {
		t.Errorf("%d names are recorded, want %d", got, want)
	}
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Secrets.URL(), ResourceNamesSubscribe: []string{"root"}, InitialResourceVersions: map[string]string{"root": "1"},
	})
	for kind, name := range map[resourcetype.Type]string{resourcetype.Clusters: envoy.ServiceCertName, resourcetype.Secrets: "root"} {
		if got, _ := c.q.types[kind].versions.get(name); got == stateReported {
			t.Errorf("%s %s counts as a reported certificate", kind, name)
		}
	}
	if c.q.reportedCertificate != "" {
		t.Errorf("the reported certificate is %q, want none", c.q.reportedCertificate)
	}
}

// TestWildcardsComeAndGo subscribes to everything later than at first, and ends that.
func TestWildcardsComeAndGo(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Clusters, "d", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.subscribe(resourcetype.Clusters, "c")
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "*")
	c.expect("CDS d")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "*")
	c.expect() // nothing new
	c.subscribe(resourcetype.Endpoints, "*")
	c.expect() // endpoints have no wildcard
	c.unsubscribe(resourcetype.Clusters, "c")
	c.expect("CDS c") // still part of the wildcard
	c.ack(resourcetype.Clusters)
	c.addDestination(1)
	c.expect() // destinations are no part of it
	c.unsubscribe(resourcetype.Clusters, "*")
	c.put(resourcetype.Clusters, "new", "1")
	c.expect()
	c.put(resourcetype.Clusters, "d", "2")
	c.expect("CDS d")
}

// TestEmptyWildcardLater subscribes to everything later, when there is nothing. The client waits for an answer.
func TestEmptyWildcardLater(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters, "missing")
	c.expect("CDS -missing")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Clusters, "*")
	c.expect("CDS")
}

// TestRejectedNameIsForgotten unsubscribes from routes that the client has rejected.
func TestRejectedNameIsForgotten(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	c.nack(resourcetype.Routes, "no")
	c.unsubscribe(resourcetype.Routes, "r")
	if c.q.types[resourcetype.Routes].bisector.HasRejected() {
		t.Error("routes without a subscription count as rejected")
	}
	c.remove(resourcetype.Routes, "r")
	c.subscribe(resourcetype.Routes, "gone")
	c.put(resourcetype.Routes, "gone", "1")
	c.expect("RDS gone")
	c.nack(resourcetype.Routes, "no")
	c.remove(resourcetype.Routes, "gone")
	c.expect("RDS -gone")
	if c.q.types[resourcetype.Routes].bisector.HasRejected() {
		t.Error("routes that were removed count as rejected")
	}
}

// TestUnknownNamesAreBounded subscribes to names that do not exist in several requests, which are answered in between.
func TestUnknownNamesAreBounded(t *testing.T) {
	for _, kind := range []resourcetype.Type{resourcetype.Routes, resourcetype.Endpoints} {
		c := newConversation(t)
		for i := range 100 {
			c.put(kind, fmt.Sprint("known", i), "1")
			c.subscribe(kind, fmt.Sprint("known", i))
		}
		names := make([]string, maxUnknownNames)
		for i := range names {
			names[i] = fmt.Sprint("unknown", i)
		}
		c.subscribe(kind, names...)
		c.acceptAll()
		c.subscribe(kind, "known1")
		c.acceptAll()
		if _, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{TypeUrl: kind.URL(), ResourceNamesSubscribe: []string{"one more"}}, c.snapshot, c.now); err == nil {
			t.Errorf("%s: %d unknown names are accepted", kind, maxUnknownNames+1)
		}
	}
}

// TestChangesOfUnknownNamesAreNotRecorded changes resources that the client has not asked for.
func TestChangesOfUnknownNamesAreNotRecorded(t *testing.T) {
	c := newConnected(t)
	c.put(resourcetype.Routes, "other", "1")
	c.q.markTypeChanged(resourcetype.Extensions, c.snapshot, c.now)
	c.put(resourcetype.Extensions, "e", "1")
	c.q.markTypeChanged(resourcetype.Routes, c.snapshot, c.now)
	if dirty := c.q.types[resourcetype.Routes].dirty; len(dirty) != 1 || len(c.q.types[resourcetype.Extensions].dirty) > 0 {
		t.Errorf("changed are %v and %v, want r and nothing", dirty, c.q.types[resourcetype.Extensions].dirty)
	}
}

// TestReleasedBase ends the use of a base that nothing is built from any more.
func TestReleasedBase(t *testing.T) {
	v := versions{base: NewBase(map[string]resource.Version{"a": stateUnknown})}
	v.compact(nil)
	if got, known := v.get("a"); v.base != nil || !known || got != stateUnknown {
		t.Errorf("a has version %v, known %t, base %v; want what it was, without a base", got, known, v.base)
	}
}

// TestLatencyOfAnswersOnly counts requests that answer nothing.
func TestLatencyOfAnswersOnly(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	m.countRequest(requestResult{Type: resourcetype.Clusters}, 0)
	if got := testutil.CollectAndCount(m.latency); got != 0 {
		t.Errorf("the latency of %d types is counted, want none", got)
	}
}
