package delta

import (
	"fmt"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestLeavingPermissiveModeIsNoAttack removes more routes than a client may subscribe to without need. The client still subscribes to
// them, on the same stream or on a new one.
func TestLeavingPermissiveModeIsNoAttack(t *testing.T) {
	const routes = maxUnknownNames + 500
	names, versions := make([]string, routes), map[string]string{}
	c := newConversation(t)
	for i := range names {
		names[i] = fmt.Sprintf("route-%05d", i)
		c.put(resourcetype.Routes, names[i], "1")
	}
	for _, name := range names {
		content, _ := c.snapshot.Content(resourcetype.Routes, name)
		versions[name] = content.Hash().String()
	}
	c.subscribe(resourcetype.Routes, names...)
	if r := c.q.next(c.snapshot, c.now); r == nil || len(r.Resources) != routes {
		t.Fatal("the routes are not sent")
	}
	c.ack(resourcetype.Routes)
	for _, name := range names {
		c.remove(resourcetype.Routes, name)
	}
	request := func(name string) {
		t.Helper()
		_, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{TypeUrl: resourcetype.Routes.URL(), ResourceNamesSubscribe: []string{name}}, c.snapshot, c.now)
		if err != nil {
			t.Errorf("the stream ends: %v", err)
		}
	}
	request("before the removal is sent")
	for r := c.q.next(c.snapshot, c.now); r != nil; r = c.q.next(c.snapshot, c.now) {
		c.ack(resourcetype.Routes)
	}
	request("after the removal")
	other := newConversation(t)
	_, err := other.q.handleRequest(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Routes.URL(), ResourceNamesSubscribe: names, InitialResourceVersions: versions,
	}, other.snapshot, other.now)
	if err != nil {
		t.Errorf("a new stream ends: %v", err)
	}
}
