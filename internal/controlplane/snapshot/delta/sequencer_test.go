package delta

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

func TestSequencer_AnswersEmptyWildcardAtOnce(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS")
	c.ack(resourcetype.Clusters)
	c.expect()
	c.subscribe(resourcetype.Listeners, "*")
	c.expect("LDS")
}

func TestSequencer_ListenersWaitForClustersAndEndpoints(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("CDS")
	c.ack(resourcetype.Clusters)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Listeners, "l", "1")
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.expect()
	c.subscribe(resourcetype.Endpoints, "c")
	c.expect("EDS c")
	c.ack(resourcetype.Endpoints)
	c.expect("LDS l")
}

// A listener that is added while its predecessor drains uses the predecessor's routes.
func TestSequencer_ListenersWaitForSubscribedRoutes(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Listeners, "l", "1")
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	c.ack(resourcetype.Routes)
	c.remove(resourcetype.Listeners, "l")
	c.remove(resourcetype.Routes, "r")
	c.expect("LDS -l")
	c.ack(resourcetype.Listeners)
	c.expect("RDS -r")
	c.put(resourcetype.Listeners, "l", "1")
	c.put(resourcetype.Routes, "r", "2")
	c.expect()
	c.ack(resourcetype.Routes)
	c.expect("RDS r", "LDS l")
}

// Open connections of removed listeners follow the listener that binds the port, so its update must be acknowledged first.
func TestSequencer_BindingListenerIsUpdatedBeforeRemovals(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Listeners)
	for _, name := range []string{"a", "b", bindingListener} {
		c.put(resourcetype.Listeners, name, "1")
	}
	c.expect("LDS a b port")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Listeners, bindingListener, "2")
	c.remove(resourcetype.Listeners, "a")
	c.expect("LDS port")
	c.ack(resourcetype.Listeners)
	c.expect("LDS -a")
	c.ack(resourcetype.Listeners)
	// A listener that is replaced by another one is removed in the same response.
	c.put(resourcetype.Listeners, bindingListener, "3")
	c.put(resourcetype.Listeners, "c", "1")
	c.remove(resourcetype.Listeners, "b")
	c.expect("LDS c port -b")
}

func TestSequencer_StopsWaitingAfterAckTimeout(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("CDS")
	c.ack(resourcetype.Clusters)
	c.expect("LDS")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.put(resourcetype.Listeners, "l", "1")
	c.expect("CDS c")
	if got, want := c.q.deadline(), c.now.Add(ackTimeout); !got.Equal(want) {
		t.Errorf("deadline %s, want %s", got, want)
	}
	c.wait(ackTimeout)
	c.expect("LDS l")
	if got := c.q.deadline(); !got.IsZero() {
		t.Errorf("unexpected deadline %s", got)
	}
}

func TestSequencer_RemovesClusterAfterItsListener(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Listeners, "l", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS l")
	c.remove(resourcetype.Clusters, "c")
	c.remove(resourcetype.Listeners, "l")
	c.expect()
	c.ack(resourcetype.Listeners)
	c.expect("LDS -l")
	c.wait(time.Second)
	c.ack(resourcetype.Listeners)
	c.expect("CDS -c")
}

func TestSequencer_RejectedListenerDelaysRemovals(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Listeners, "l", "1")
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.expect("LDS l")
	c.ack(resourcetype.Listeners)
	c.put(resourcetype.Listeners, "l", "2")
	c.remove(resourcetype.Clusters, "c")
	c.expect("LDS l")
	c.nack(resourcetype.Listeners, "no")
	c.expect()
	c.wait(ackTimeout)
	c.expect("CDS -c")
}

func TestThreat51RejectedVersionIsNotSentAgain(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Listeners, "l", "1")
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS l")
	result, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Listeners.URL(), ResponseNonce: "1", ErrorDetail: &rpc.Status{Message: "bad filter"},
	}, c.snapshot, c.now)
	if err != nil || !result.IsAnswer || result.Message != "bad filter" {
		t.Errorf("result %+v, error %v", result, err)
	}
	c.q.markAllChanged(c.snapshot, c.now)
	c.expect()
	c.put(resourcetype.Listeners, "l", "2")
	c.expect("LDS l")
}

func TestSequencer_MergesChangesWhileInFlight(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Endpoints, "a", "1")
	c.put(resourcetype.Endpoints, "b", "1")
	c.subscribe(resourcetype.Endpoints, "a", "b")
	c.expect("EDS a b")
	for i := range 5 {
		c.put(resourcetype.Endpoints, "a", fmt.Sprint("x", i))
	}
	c.put(resourcetype.Endpoints, "b", "2")
	c.put(resourcetype.Endpoints, "b", "1")
	c.expect()
	c.ack(resourcetype.Endpoints)
	c.expect("EDS a")
}

// Envoy does not use a changed cluster before it receives its endpoints again.
func TestSequencer_ChangedClusterResendsItsEndpoints(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.put(resourcetype.Endpoints, "c", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c")
	c.ack(resourcetype.Clusters)
	c.subscribe(resourcetype.Endpoints, "c")
	c.expect("EDS c")
	c.ack(resourcetype.Endpoints)
	c.put(resourcetype.Clusters, "c", "2")
	c.expect("CDS c", "EDS c")
}

// Envoy acknowledges clusters when all of them are warm. If a cluster is removed before the Envoy has asked for its endpoints, it must not wait for them, or no
// other cluster could be sent.
func TestSequencer_ClusterThatIsRemovedWhileItWarms(t *testing.T) {
	for _, kind := range []resourcetype.Type{resourcetype.Endpoints, resourcetype.Secrets} {
		c := newEmpty(t)
		c.put(resourcetype.Clusters, "c", "1")
		c.put(kind, "c", "1")
		c.expect("CDS c")
		c.remove(resourcetype.Clusters, "c")
		c.remove(kind, "c")
		c.expect()
		c.subscribe(kind, "c")
		c.expect(kind.String() + " -c")
		c.ack(resourcetype.Clusters)
		c.expect("CDS -c")
	}
}

func TestSequencer_AnswersUnknownNames(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Endpoints, "x")
	c.expect("EDS -x")
	c.subscribe(resourcetype.Secrets, "x")
	c.expect("SDS -x")
	c.ack(resourcetype.Secrets)
	c.subscribe(resourcetype.Extensions, "x")
	c.expect("ECDS -x")
	c.subscribe(resourcetype.Routes, "x")
	c.expect("RDS x") // empty, because Envoy ignores the removal of a route configuration
	c.ack(resourcetype.Routes)
	c.put(resourcetype.Routes, "x", "1")
	c.expect("RDS x")
	c.ack(resourcetype.Endpoints)
	c.put(resourcetype.Endpoints, "x", "1")
	c.expect("EDS x")
}

func TestSequencer_RepeatedSubscriptionIsSentAgain(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Routes, "r", "1")
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	c.ack(resourcetype.Routes)
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
	c.ack(resourcetype.Routes)
	c.unsubscribe(resourcetype.Routes, "r")
	c.put(resourcetype.Routes, "r", "2")
	c.expect()
	c.subscribe(resourcetype.Routes, "r")
	c.expect("RDS r")
}

func TestThreat50ReconnectSendsOnlyDifferences(t *testing.T) {
	c := newConversation(t)
	for _, name := range []string{"same", "changed"} {
		c.put(resourcetype.Clusters, name, "1")
		c.put(resourcetype.Endpoints, name, "1")
	}
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Endpoints, "same", "changed")
	c.expect("CDS changed same", "EDS changed same")
	sentVersions := func(t resourcetype.Type) map[string]string {
		versions := map[string]string{}
		for name, v := range c.q.types[t].versions.all() {
			versions[name] = v.String()
		}
		return versions
	}
	clusters, endpoints := sentVersions(resourcetype.Clusters), sentVersions(resourcetype.Endpoints)
	clusters["gone"] = "abc"

	c.q = &sequencer{}
	c.put(resourcetype.Clusters, "changed", "2")
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), InitialResourceVersions: clusters})
	c.expect("CDS changed")
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Endpoints.URL(), InitialResourceVersions: endpoints, ResourceNamesSubscribe: []string{"same", "changed"},
	})
	c.expect("EDS changed")
	c.ack(resourcetype.Clusters)
	c.ack(resourcetype.Endpoints)
	c.expect() // the removal waits until the client requests listeners
	c.wait(ackTimeout)
	c.expect("CDS -gone")
}

func TestSequencer_KeepsCertificateOfAnotherReplica(t *testing.T) {
	const name = "service-cert"
	soon := time.Unix(1_800_000_000, 0).Add(time.Hour)
	version := func(generation string, expiry time.Time) string {
		return resource.CertificateVersion(generation, "a.example", expiry)
	}
	cases := []struct {
		name, held string
		want       []string
	}{
		{"same generation", version("g", soon), nil},
		{"another generation", version("f", soon), []string{"SDS " + name}},
		{"another trust domain", resource.CertificateVersion("g", "b.example", soon), []string{"SDS " + name}},
		{"about to expire", version("g", soon.Add(-time.Hour+resource.ReuseMargin)), []string{"SDS " + name}},
		{"not a version", "what", []string{"SDS " + name}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newConversation(t)
			c.snapshot.pending = name
			c.send(&discovery.DeltaDiscoveryRequest{
				TypeUrl: resourcetype.Secrets.URL(), ResourceNamesSubscribe: []string{name}, InitialResourceVersions: map[string]string{name: tc.held},
			})
			c.expect() // the certificate is being issued
			c.set(resourcetype.Secrets, name, "", version("g", soon.Add(24*time.Hour)))
			c.expect(tc.want...)
			if tc.want != nil {
				return
			}
			c.now = c.q.deadline()
			if limit := soon.Add(-resource.ReuseMargin); !c.now.Equal(limit) {
				t.Fatalf("deadline %s, want %s", c.now, limit)
			}
			c.expect("SDS " + name)
		})
	}
}

func TestThreat52LargeResponsesAreDivided(t *testing.T) {
	c := newConversation(t)
	big := strings.Repeat("x", 1<<20)
	for i := range 8 {
		c.put(resourcetype.Clusters, fmt.Sprint("c", i), big)
	}
	c.put(resourcetype.Listeners, "l", "1")
	c.subscribe(resourcetype.Clusters)
	c.subscribe(resourcetype.Listeners)
	c.expect("CDS c0 c1 c2")
	c.ack(resourcetype.Clusters)
	c.expect("CDS c3 c4 c5")
	c.ack(resourcetype.Clusters)
	c.expect("CDS c6 c7")
	c.ack(resourcetype.Clusters)
	c.expect("LDS l")
}

func TestThreat53MaliciousRequests(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	many := make([]string, maxUnknownNames+1)
	tooMany := make([]string, MaxNames+1)
	for i := range tooMany {
		tooMany[i] = fmt.Sprint(i)
	}
	copy(many, tooMany)
	cases := map[string]*discovery.DeltaDiscoveryRequest{
		"unknown type":                    {TypeUrl: "type.googleapis.com/what"},
		"no type":                         {},
		"huge type":                       {TypeUrl: long},
		"huge nonce":                      {TypeUrl: resourcetype.Clusters.URL(), ResponseNonce: long},
		"huge name":                       {TypeUrl: resourcetype.Routes.URL(), ResourceNamesSubscribe: []string{long}},
		"huge unsubscription":             {TypeUrl: resourcetype.Routes.URL(), ResourceNamesUnsubscribe: []string{long}},
		"huge version":                    {TypeUrl: resourcetype.Routes.URL(), InitialResourceVersions: map[string]string{"x": long}},
		"too many names":                  {TypeUrl: resourcetype.Routes.URL(), ResourceNamesSubscribe: tooMany},
		"too many unknown names":          {TypeUrl: resourcetype.Routes.URL(), ResourceNamesSubscribe: many},
		"unsubscriptions from a wildcard": {TypeUrl: resourcetype.Clusters.URL(), ResourceNamesUnsubscribe: many},
	}
	for name, req := range cases {
		t.Run(name, func(t *testing.T) {
			c := newConversation(t)
			c.subscribe(resourcetype.Clusters)
			_, err := c.q.handleRequest(req, c.snapshot, c.now)
			if err == nil {
				t.Fatal("accepted")
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// A version that was rejected alone is not sent again as part of an older rejected response.
func TestSequencer_ExcludesRejectedResourceFromParts(t *testing.T) {
	c := newConversation(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		c.put(resourcetype.Secrets, name, "1")
	}
	c.subscribe(resourcetype.Secrets, "a", "b", "c", "d")
	c.expect("SDS a b c d")
	c.put(resourcetype.Secrets, "d", "2")
	c.nack(resourcetype.Secrets, "no")
	c.expect("SDS d")
	c.nack(resourcetype.Secrets, "no")
	for _, want := range []string{"SDS a b", "SDS c"} {
		c.expect(want)
		c.ack(resourcetype.Secrets)
	}
	c.expect()
}
