package delta

import (
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	rpc "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// handle returns what the sequencer reports about a request.
func (c *conversation) handle(req *discovery.DeltaDiscoveryRequest) requestResult {
	c.t.Helper()
	result, err := c.q.handleRequest(req, c.snapshot, c.now)
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

// answerTo returns the ACK, or the NACK with a message, of the response in flight.
func (c *conversation) answerTo(t resourcetype.Type, nack *rpc.Status) *discovery.DeltaDiscoveryRequest {
	return &discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResponseNonce: c.q.types[t].inFlight, ErrorDetail: nack}
}

// TestReconnects checks which first request tells that a client has configuration from an earlier stream.
func TestReconnects(t *testing.T) {
	first := func(t resourcetype.Type, versions map[string]string) *discovery.DeltaDiscoveryRequest {
		return &discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), InitialResourceVersions: versions}
	}
	for name, test := range map[string]struct {
		requests []*discovery.DeltaDiscoveryRequest
		want     []bool
		resumed  bool
	}{
		"a new client":              {[]*discovery.DeltaDiscoveryRequest{first(resourcetype.Clusters, nil), first(resourcetype.Listeners, nil)}, []bool{false, false}, false},
		"one with versions":         {[]*discovery.DeltaDiscoveryRequest{first(resourcetype.Clusters, map[string]string{"c": "1"}), first(resourcetype.Listeners, map[string]string{"l": "1"})}, []bool{true, false}, true},
		"one with versions later":   {[]*discovery.DeltaDiscoveryRequest{first(resourcetype.Clusters, nil), first(resourcetype.Listeners, map[string]string{"l": "1"})}, []bool{false, false}, true},
		"one with versions at once": {[]*discovery.DeltaDiscoveryRequest{first(resourcetype.Clusters, map[string]string{"c": "1"}), first(resourcetype.Listeners, nil)}, []bool{true, false}, true},
	} {
		c := newConversation(t)
		var got []bool
		for _, request := range test.requests {
			got = append(got, c.handle(request).IsReconnect)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || c.q.resumed != test.resumed {
			t.Errorf("%s: resumed is %t, reconnects (-want +got):\n%s", name, c.q.resumed, diff)
		}
	}
}

// TestAnswers checks what is reported about ACKs and NACKs.
func TestAnswers(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c")
	if got := c.handle(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Clusters.URL(), ResponseNonce: "another"}); got != (requestResult{Type: resourcetype.Clusters}) {
		t.Errorf("the answer to another response: %+v", got)
	}
	c.wait(3 * time.Second)
	if got, want := c.handle(c.answerTo(resourcetype.Clusters, nil)), (requestResult{Type: resourcetype.Clusters, IsAnswer: true, Latency: 3 * time.Second}); got != want {
		t.Errorf("an ACK: %+v, want %+v", got, want)
	}
	if got := c.handle(c.answerTo(resourcetype.Clusters, nil)); got.IsAnswer {
		t.Errorf("another ACK: %+v", got)
	}
	for message, text := range map[string]string{"": "rejected without a message", "no": "no", strings.Repeat("x", maxMessageLength+1): strings.Repeat("x", maxMessageLength)} {
		for _, undivided := range []bool{false, true} {
			c.q.undivided = undivided
			c.put(resourcetype.Clusters, "c", c.now.String())
			c.expect("CDS c")
			c.wait(time.Second)
			hash := c.snapshot.contents[resourcetype.Clusters]["c"].Hash()
			got := c.handle(c.answerTo(resourcetype.Clusters, &rpc.Status{Message: message}))
			want := requestResult{Type: resourcetype.Clusters, IsAnswer: true, Message: text, Rejection: text, Latency: time.Second}
			if !undivided {
				want.Rejected = &quarantine.RejectedResource{Type: resourcetype.Clusters, Name: "c", Message: text, Hash: hash}
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(resource.Version{})); diff != "" {
				t.Errorf("undivided is %t, a NACK (-want +got):\n%s", undivided, diff)
			}
			if !c.q.types[resourcetype.Clusters].rejected {
				t.Error("the type is not rejected")
			}
		}
	}
	c.q.undivided = true
	c.put(resourcetype.Clusters, "c", "last")
	c.expect("CDS c")
	c.handle(c.answerTo(resourcetype.Clusters, nil))
	if c.q.types[resourcetype.Clusters].rejected {
		t.Error("the type is rejected after an ACK")
	}
}

// TestSubscriptionsOfTheFirstRequest checks who gets all resources, and which versions of an earlier stream count.
func TestSubscriptionsOfTheFirstRequest(t *testing.T) {
	for name, test := range map[string]struct {
		kind      resourcetype.Type
		subscribe []string
		versions  map[string]string
		wildcard  bool
		known     []string
	}{
		"no name":                  {resourcetype.Clusters, nil, map[string]string{"a": "1"}, true, []string{"a"}},
		"a star":                   {resourcetype.Clusters, []string{"*", "b"}, map[string]string{"a": "1"}, true, []string{"a", "b"}},
		"names":                    {resourcetype.Clusters, []string{"b"}, map[string]string{"a": "1", "b": "1"}, false, []string{"b"}},
		"no name of another type":  {resourcetype.Routes, nil, map[string]string{"a": "1"}, false, nil},
		"a star of another type":   {resourcetype.Routes, []string{"*"}, nil, false, nil},
		"versions of another type": {resourcetype.Routes, []string{"a"}, map[string]string{"a": "1", "b": "1"}, false, []string{"a"}},
	} {
		c := newConversation(t)
		c.handle(&discovery.DeltaDiscoveryRequest{TypeUrl: test.kind.URL(), ResourceNamesSubscribe: test.subscribe, InitialResourceVersions: test.versions})
		var known []string
		for _, n := range []string{"a", "b", "*"} {
			if _, found := c.q.types[test.kind].versions.get(n); found {
				known = append(known, n)
			}
		}
		if diff := cmp.Diff(test.known, known); diff != "" || c.q.types[test.kind].wildcard != test.wildcard {
			t.Errorf("%s: wildcard is %t, known names (-want +got):\n%s", name, c.q.types[test.kind].wildcard, diff)
		}
	}
}
