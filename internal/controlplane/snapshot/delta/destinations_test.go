package delta

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
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

// expectCounts compares what was refused, what has no destination, and how many stubs were removed for others, since the last call.
func (c *conversation) expectCounts(when string, refused, unanswerable, withdrawn int) {
	c.t.Helper()
	want := destinationCounts{refused: refused, unanswerable: unanswerable, withdrawn: withdrawn}
	if got := c.q.destinations.takeCounts(); got != want {
		c.t.Errorf("%s: the counts are %+v, want %+v", when, got, want)
	}
}

// addStubs has the snapshot answer names without a destination, from a number on.
func (c *conversation) addStubs(from, count int) (names []string) {
	for n := from; n < from+count; n++ {
		c.put(resourcetype.Clusters, onDemand(n), "stub")
		names = append(names, onDemand(n))
	}
	return names
}

// flush sends what can be sent, and acknowledges it. It returns the last answer to each name: true for a resource, false for a removal.
func (c *conversation) flush() map[string]bool {
	answers := map[string]bool{}
	for r := c.q.next(c.snapshot, c.now); r != nil; r = c.q.next(c.snapshot, c.now) {
		for _, res := range r.Resources {
			answers[res.Name()] = true
		}
		for _, name := range r.Removed {
			answers[name] = false
		}
		c.ack(r.Type)
	}
	return answers
}

// TestUnknownDestinationsAreRecorded checks which names are recorded as those that a client has, and how it came to have them.
func TestUnknownDestinationsAreRecorded(t *testing.T) {
	c := newConversation(t)
	var recorded []string
	c.q.destinations.recorded = func(name string, origin origin, exists bool) {
		recorded = append(recorded, fmt.Sprintf("%s %d %t", name, origin, exists))
	}
	c.addDestination(0)
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Clusters.URL(), ResourceNamesSubscribe: []string{"*", onDemand(0)}, InitialResourceVersions: map[string]string{onDemand(0): "1"},
	})
	c.subscribe(resourcetype.Clusters, onDemand(0), onDemand(1), "shop/web|80")
	c.subscribe(resourcetype.Endpoints, onDemand(2))
	c.subscribe(resourcetype.Clusters, onDemand(1))
	c.expectCounts("unknown once", 0, 1, 0)
	want := []string{onDemand(0) + " 0 true", onDemand(0) + " 1 true", onDemand(0) + " 2 true", onDemand(1) + " 2 false", onDemand(1) + " 2 false"}
	if diff := cmp.Diff(want, recorded); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// TestOldestStubsAreRemovedForOthers has a client that asks for more names without a destination than it may have, one after the other.
func TestOldestStubsAreRemovedForOthers(t *testing.T) {
	c := newConversation(t)
	forgotten := map[string]bool{}
	c.q.destinations.forgotten = func(name string) { forgotten[name] = true }
	c.subscribe(resourcetype.Clusters, "*")
	c.subscribe(resourcetype.Listeners)
	c.subscribe(resourcetype.Clusters, c.addStubs(0, maxStubs)...)
	c.addDestination(maxStubs)
	c.subscribe(resourcetype.Clusters, onDemand(maxStubs))
	if answers := c.flush(); len(answers) != maxStubs+1 {
		t.Fatalf("%d names are answered", len(answers))
	}
	c.expectCounts("at the limit", 0, maxStubs, 0)

	c.subscribe(resourcetype.Clusters, c.addStubs(1000, 2)...)
	want := map[string]bool{onDemand(0): false, onDemand(1): false, onDemand(1000): true, onDemand(1001): true}
	if diff := cmp.Diff(want, c.flush()); diff != "" {
		t.Errorf("answers beyond the limit (-want +got):\n%s", diff)
	}
	c.expectCounts("beyond the limit", 0, 2, 2)
	if diff := cmp.Diff(map[string]bool{onDemand(0): true, onDemand(1): true}, forgotten); diff != "" {
		t.Errorf("forgotten (-want +got):\n%s", diff)
	}
	if _, known := c.q.types[resourcetype.Clusters].versions.get(onDemand(0)); known || len(c.q.destinations.withdrawn) > 0 || c.q.destinations.stubs.len() > maxStubs {
		t.Error("something remains of a forgotten name")
	}
}

// TestStubsOfDeletedDestinationsCount has a client whose destinations are deleted, oldest first, and are stubs from then on.
func TestStubsOfDeletedDestinationsCount(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters, "*")
	c.subscribe(resourcetype.Listeners)
	for n := range maxStubs {
		c.addDestination(n)
		c.subscribe(resourcetype.Clusters, onDemand(n))
	}
	c.flush()
	if got := c.q.destinations.stubs.len(); got != 0 {
		t.Fatalf("%d stubs of existing destinations", got)
	}
	for n := maxStubs - 1; n >= 0; n-- { // one response each
		c.remove(resourcetype.Endpoints, onDemand(n))
		c.put(resourcetype.Clusters, onDemand(n), "stub")
		c.flush()
	}
	c.addDestination(7)
	c.flush()
	if got := c.q.destinations.stubs.len(); got != maxStubs-1 {
		t.Fatalf("%d stubs, want all but that of a destination that exists again", got)
	}
	c.subscribe(resourcetype.Clusters, c.addStubs(2000, 2)...)
	if removed, answered := c.flush()[onDemand(maxStubs-1)]; removed || !answered {
		t.Error("the stub of the destination that was deleted first is not removed")
	}
}

// TestNamesThatAreAskedForTooFastAreForgotten has a client that asks without waiting for answers, and one that reports too many.
func TestNamesThatAreAskedForTooFastAreForgotten(t *testing.T) {
	for name, request := range map[string]func(names []string) *discovery.DeltaDiscoveryRequest{
		"asked for": func(names []string) *discovery.DeltaDiscoveryRequest {
			return &discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: names}
		},
		"reported": func(names []string) *discovery.DeltaDiscoveryRequest {
			versions := map[string]string{}
			for _, name := range names {
				versions[name] = "1"
			}
			return &discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: append(names, "*"), InitialResourceVersions: versions}
		},
	} {
		c := newConversation(t)
		if name == "asked for" {
			c.subscribe(resourcetype.Clusters, "*")
		}
		forgotten := map[string]bool{}
		c.q.destinations.forgotten = func(name string) { forgotten[name] = true }
		r := request(c.addStubs(0, maxStubs+9))
		r.TypeUrl = resourcetype.Clusters.URL()
		c.send(r)
		if known := c.q.types[resourcetype.Clusters].versions.len(); known != maxStubs || len(forgotten) != 9 {
			t.Errorf("%s: %d names are recorded and %d forgotten, want %d and 9", name, known, len(forgotten), maxStubs)
		}
	}
}

// TestStubThatIsAskedForAgainStays has a client that asks again for a stub that is about to be removed, and one that exists again in time.
func TestStubThatIsAskedForAgainStays(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters, "*")
	c.subscribe(resourcetype.Listeners)
	c.subscribe(resourcetype.Clusters, c.addStubs(0, maxStubs)...)
	c.flush()
	c.subscribe(resourcetype.Clusters, c.addStubs(1000, 3)...)
	c.subscribe(resourcetype.Clusters, onDemand(0))
	c.addDestination(1)
	answers := c.flush()
	if got := []bool{answers[onDemand(0)], answers[onDemand(1)], answers[onDemand(2)]}; !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("the client has %v, want all but the third", got)
	}
	if n := len(c.q.destinations.withdrawn); n > 0 {
		t.Errorf("%d stubs are still about to be removed", n)
	}
}

// TestStubsProperty draws what a client asks for, and what exists. The client has all that exists of what is recorded or forgotten, and few stubs.
func TestStubsProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newConversation(t)
		c.q.destinations.forgotten = func(string) {}
		c.subscribe(resourcetype.Clusters, "*")
		c.subscribe(resourcetype.Listeners)
		const names = 2 * maxStubs
		c.addStubs(0, names)
		has := map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			from := rapid.IntRange(0, names-1).Draw(rt, "from")
			to := min(names, from+rapid.IntRange(1, maxStubs).Draw(rt, "count"))
			for n := from; n < to; n++ {
				switch rapid.IntRange(0, 3).Draw(rt, "what") {
				case 0:
					c.addDestination(n)
				case 1:
					c.remove(resourcetype.Endpoints, onDemand(n))
					c.put(resourcetype.Clusters, onDemand(n), "stub")
				default:
					c.subscribe(resourcetype.Clusters, onDemand(n))
				}
			}
			if rapid.Bool().Draw(rt, "flush") {
				maps.Copy(has, c.flush())
			}
			if d := &c.q.destinations; d.stubs.len()+len(d.withdrawn) > 3*maxStubs {
				rt.Fatalf("%d stubs, of which %d are removed", d.stubs.len(), len(d.withdrawn))
			}
		}
		maps.Copy(has, c.flush())
		if n := len(c.q.destinations.withdrawn); n > 0 {
			rt.Fatalf("%d stubs are never removed", n)
		}
		for name, version := range c.q.types[resourcetype.Clusters].versions.all() {
			if strings.HasPrefix(name, "on-demand") && !has[name] {
				rt.Fatalf("%s is recorded as %v, and the client does not have it", name, version)
			}
		}
	})
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
		c.q.destinations.recorded = func(name string, _ origin, _ bool) { has[name] = struct{}{} }
		c.q.destinations.released = func(name string) { delete(has, name) }
		c.addDestination(0)
		for round := range 20 {
			names := []string{onDemand(0)}
			for i := range maxStubs {
				names = append(names, onDemand(1+round*maxStubs+i))
			}
			if wildcard {
				c.subscribe(resourcetype.Clusters, "*")
			}
			c.subscribe(resourcetype.Clusters, names...)
			if len(has) < 2 || len(has) > maxStubs+1 {
				t.Fatalf("round %d, wildcard %t: the client has %d names", round, wildcard, len(has))
			}
			for _, name := range append([]string{"*"}, names...) {
				c.unsubscribe(resourcetype.Clusters, name)
			}
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
		c.q.destinations.recorded = func(string, origin, bool) { t.Errorf("%s: the name is recorded", name) }
		_, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{
			TypeUrl: resourcetype.Clusters.URL(), ResourceNamesSubscribe: []string{test.asked}, InitialResourceVersions: map[string]string{test.asked: "1"},
		}, c.snapshot, c.now)
		if known := c.q.types[resourcetype.Clusters].versions.len(); err != nil || known > 0 {
			t.Errorf("%s: %d names are recorded, error %v", name, known, err)
		}
		c.expectCounts(name, 2, 0, 0)
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

// TestOtherTypesAreNoStubs has a client that uses the name of a destination for routes and endpoints.
func TestOtherTypesAreNoStubs(t *testing.T) {
	c := newConversation(t)
	c.subscribe(resourcetype.Clusters, "*")
	c.subscribe(resourcetype.Listeners)
	c.subscribe(resourcetype.Routes, onDemand(1), onDemand(2))
	c.subscribe(resourcetype.Endpoints, onDemand(1))
	c.subscribe(resourcetype.Clusters, c.addStubs(1, 1)...)
	c.flush()
	c.unsubscribe(resourcetype.Endpoints, onDemand(1))
	c.unsubscribe(resourcetype.Routes, onDemand(1))
	if got := c.q.destinations.stubs.len(); got != 1 {
		t.Errorf("%d stubs, want one", got)
	}
}

// TestReportedClusterThatIsWithdrawnExistsAgain has a client that reports a cluster whose destination is deleted. Before that is removed, it exists as before.
func TestReportedClusterThatIsWithdrawnExistsAgain(t *testing.T) {
	c := newConversation(t)
	c.addDestination(0)
	content := c.snapshot.contents[resourcetype.Clusters][onDemand(0)]
	version := resource.Versioned{Content: content, Version: content.Hash()}.WireVersion()
	c.remove(resourcetype.Endpoints, onDemand(0))
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Clusters.URL(), ResourceNamesSubscribe: []string{"*"}, InitialResourceVersions: map[string]string{onDemand(0): version},
	})
	c.subscribe(resourcetype.Listeners)
	c.subscribe(resourcetype.Clusters, c.addStubs(1, maxStubs)...)
	if _, withdrawn := c.q.destinations.withdrawn[onDemand(0)]; !withdrawn {
		t.Fatal("the reported cluster is not withdrawn")
	}
	c.addDestination(0)
	if _, sent := c.flush()[onDemand(0)]; sent || len(c.q.destinations.withdrawn) > 0 {
		t.Errorf("the cluster is sent: %t, and %d names are withdrawn", sent, len(c.q.destinations.withdrawn))
	}
}
