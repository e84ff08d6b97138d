package delta

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// onDemand is the name of the destination of a number.
func onDemand(n int) string {
	return scope.OnDemandName(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 80))
}

// addDestination adds a cluster that sidecars ask for, with its endpoints.
func (c *conversation) addDestination(n int) {
	c.put(resourcetype.Clusters, onDemand(n), "1")
	c.put(resourcetype.Endpoints, onDemand(n), "1")
}

func setOf(names ...string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}

// expectCounts compares what was refused, and what has no destination, since the last call.
func (c *conversation) expectCounts(when string, refused, unanswerable int) {
	c.t.Helper()
	if gotRefused, gotUnanswerable := c.q.destinations.takeCounts(); gotRefused != refused || gotUnanswerable != unanswerable {
		c.t.Errorf("%s: %d are refused and %d have no destination, want %d and %d", when, gotRefused, gotUnanswerable, refused, unanswerable)
	}
}

// TestUnknownDestinationsAreBounded checks how many names without a destination a client has, and that others do not count.
func TestUnknownDestinationsAreBounded(t *testing.T) {
	c := newConversation(t)
	var asked []string
	c.q.destinations.asked = func(name string, exists bool) { asked = append(asked, fmt.Sprint(name, exists)) }
	c.addDestination(0)
	c.subscribe(resourcetype.Clusters, onDemand(0), onDemand(1), "shop/web|80")
	c.subscribe(resourcetype.Endpoints, onDemand(2))
	c.subscribe(resourcetype.Clusters, onDemand(1))
	c.expectCounts("at first", 0, 1)
	if diff := cmp.Diff([]string{onDemand(0) + "true", onDemand(1) + "false", onDemand(1) + "false"}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	c.q.destinations.asked = nil
	for n := 3; n < maxUnknownDestinations+2; n++ {
		c.subscribe(resourcetype.Clusters, onDemand(n))
	}
	c.expectCounts("at the limit", 0, maxUnknownDestinations-1)
	c.q.destinations.countedAt = c.now
	c.subscribe(resourcetype.Clusters, onDemand(1000), onDemand(0))
	c.expectCounts("beyond the limit", 1, 0)
	if _, known := c.q.types[resourcetype.Clusters].versions.get(onDemand(1000)); known {
		t.Error("a refused name is recorded")
	}
	for _, n := range []int{1, 3} {
		c.unsubscribe(resourcetype.Clusters, onDemand(n))
	}
	c.wait(recountInterval - 1)
	c.subscribe(resourcetype.Clusters, onDemand(1000))
	c.expectCounts("before the next count", 1, 0)
	c.wait(1)
	c.subscribe(resourcetype.Clusters, onDemand(1000), onDemand(1001), onDemand(1002))
	c.expectCounts("after the next count", 1, 2)
	if got := c.q.destinations.countedAt; !got.Equal(c.now) {
		t.Errorf("counted at %s", got)
	}
	c.addDestination(4)
	c.wait(recountInterval)
	c.subscribe(resourcetype.Clusters, onDemand(1002), onDemand(1003))
	c.expectCounts("after one has got a destination", 1, 1)
}

func TestWhatIsAnUnknownDestination(t *testing.T) {
	c := newConversation(t)
	c.addDestination(0)
	for name, test := range map[string]struct {
		kind resourcetype.Type
		name string
		want bool
	}{
		"unknown": {resourcetype.Clusters, onDemand(1), true}, "known": {resourcetype.Clusters, onDemand(0), false}, "endpoints": {resourcetype.Endpoints, onDemand(1), false},
		"no destination": {resourcetype.Clusters, "shop/web|80", false},
	} {
		if got := isUnknownDestination(test.kind, test.name, c.snapshot); got != test.want {
			t.Errorf("%s: unknown is %t", name, got)
		}
	}
}

// TestNothingRemainsOfLeftNames checks a client without a wildcard, which can leave what it has asked for: for some time it asks for as many names as it may, and
// leaves them. It also removes its wildcard for that.
func TestNothingRemainsOfLeftNames(t *testing.T) {
	for _, wildcard := range []bool{false, true} {
		c := newConversation(t)
		has := map[string]struct{}{}
		c.q.destinations.asked = func(name string, _ bool) { has[name] = struct{}{} }
		c.q.destinations.released = func(name string) { delete(has, name) }
		c.addDestination(0)
		for round := range 20 {
			names := []string{onDemand(0)}
			for i := range maxUnknownDestinations {
				names = append(names, onDemand(1+round*maxUnknownDestinations+i))
			}
			if wildcard {
				c.subscribe(resourcetype.Clusters, "*")
			}
			c.subscribe(resourcetype.Clusters, names...)
			if len(has) < 2 || len(has) > maxUnknownDestinations+1 {
				t.Fatalf("round %d, wildcard %t: the client has %d names", round, wildcard, len(has))
			}
			for _, name := range append([]string{"*"}, names...) {
				c.unsubscribe(resourcetype.Clusters, name)
			}
			c.wait(recountInterval)
		}
		if st := &c.q.types[resourcetype.Clusters]; len(has) > 0 || st.versions.len() > 0 || len(st.dirty) > 0 {
			t.Errorf("wildcard %t: of the names that the client has left, %d, %d and %d remain", wildcard, len(has), st.versions.len(), len(st.dirty))
		}
	}
}

// TestNamesOfNoDestinationAreNotRecorded checks names that OnDemandName does not return, and clients that ask for no destinations.
func TestNamesOfNoDestinationAreNotRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		isEager bool
		asked   string
	}{
		"no address": {false, "on-demand|web"}, "a zone": {false, "on-demand|[fe80::1%" + strings.Repeat("x", 700) + "]:80"}, "nothing": {false, "on-demand|"},
		"a client that asks for none": {true, onDemand(1)}, "one that exists, and a client that asks for none": {true, onDemand(0)},
	} {
		c := newConversation(t)
		c.snapshot.isEager = test.isEager
		c.addDestination(0)
		c.q.destinations.asked = func(string, bool) { t.Errorf("%s: the name is recorded", name) }
		_, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{
			TypeUrl: resourcetype.Clusters.URL(), ResourceNamesSubscribe: []string{test.asked}, InitialResourceVersions: map[string]string{test.asked: "1"},
		}, c.snapshot, c.now)
		if known := c.q.types[resourcetype.Clusters].versions.len(); err != nil || known > 0 {
			t.Errorf("%s: %d names are recorded, error %v", name, known, err)
		}
		c.expectCounts(name, 2, 0)
	}
}

// TestLoadedDestinations checks that destinations which exist are sent once without a request.
func TestLoadedDestinations(t *testing.T) {
	c := newConversation(t)
	for n := range 3 {
		c.addDestination(n)
	}
	c.subscribe(resourcetype.Clusters, onDemand(0))
	c.expect("CDS " + onDemand(0))
	c.ack(resourcetype.Clusters)
	c.q.load(setOf(onDemand(0), onDemand(9), onDemand(2), onDemand(1)), c.snapshot, c.now)
	c.expect("CDS " + onDemand(1) + " " + onDemand(2))
}
