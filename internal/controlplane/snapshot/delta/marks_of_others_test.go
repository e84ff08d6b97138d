package delta

import (
	"errors"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// versioned returns a resource of a snapshot.
func versioned(t *testing.T, kind resourcetype.Type, name string, message proto.Message) resource.Versioned {
	t.Helper()
	c, err := resource.New(envoy.Resource{TypeURL: kind.URL(), Name: name, Message: message})
	if err != nil {
		t.Fatal(err)
	}
	return resource.Versioned{Content: c, Version: c.Hash()}
}

// TestMarksAreForTheInboundListenerAndItsPermissions sends resources that only share a name with something that has marks.
func TestMarksAreForTheInboundListenerAndItsPermissions(t *testing.T) {
	c := newConversation(t)
	c.place(inboundListener(t, "a"))
	c.reconnect(markedListener(t, "a", chains{"inbound_tcp": markOne}))
	c.q.setHandover(Handover{Started: true}, c.snapshot, c.now)
	c.q.types[resourcetype.Listeners].versions.set("other", stateUnknown)
	for name, res := range map[string]resource.Versioned{
		"another listener with the same chain": versioned(t, resourcetype.Listeners, "third", &listenerv3.Listener{Name: "third", FilterChains: []*listenerv3.FilterChain{{Name: "inbound_tcp"}}}),
		"a cluster with a name of permissions": versioned(t, resourcetype.Clusters, tcpPermissions, &clusterv3.Cluster{Name: tcpPermissions}),
		"a cluster with a name of a listener":  versioned(t, resourcetype.Clusters, "other", &clusterv3.Cluster{Name: "other"}),
	} {
		if sent := c.q.withMarks(res, c.now); sent.WireVersion() != res.WireVersion() || sent.Content != res.Content {
			t.Errorf("%s: sent in version %s, want %s", name, sent.WireVersion(), res.WireVersion())
		}
	}
	if len(c.q.drains.permissions) > 0 {
		t.Errorf("permissions of the client are %v, want none", c.q.drains.permissions)
	}
	changed := versioned(t, resourcetype.Listeners, "other", &listenerv3.Listener{Name: "other"})
	if sent := c.q.withMarks(changed, c.now); sent.WireVersion() == changed.WireVersion() {
		t.Error("a listener that the client may not apply has the same version as one that it applies")
	}
}

// TestChainsThatEndHaveNoMarks removes permissions, whose chain ends with them. New ones under the same name are not compared with them.
func TestChainsThatEndHaveNoMarks(t *testing.T) {
	c := newConversation(t)
	c.place(inboundListener(t, "a"))
	c.place(permissionsOf(t, "a", "b"))
	c.reconnect(markedListener(t, "a", chains{"inbound_tcp": markOne}))
	c.reconnect(permissionsOf(t, "a", "b"))
	c.expect()
	c.q.forgetPermissions(resourcetype.Clusters, tcpPermissions)
	c.q.forgetPermissions(resourcetype.Extensions, "l4_local_rate_limit|inbound_tcp")
	if c.q.drains.marks.OfChain("inbound_tcp") != markOne || len(c.q.drains.permissions) != 1 {
		t.Fatalf("the marks are %v and the permissions %v, want those of the chain, which has not ended", c.q.drains.marks, c.q.drains.permissions)
	}
	c.remove(resourcetype.Extensions, tcpPermissions)
	c.expect("ECDS -" + tcpPermissions)
	c.ack(resourcetype.Extensions)
	c.place(permissionsOf(t, "a"))
	c.expectPermissions()
	c.expect()
	c.place(inboundListener(t, "b"))
	c.expectMarks(nil)
}

// TestMarksBeforeTheListener sets marks for a client that has no inbound listener.
func TestMarksBeforeTheListener(t *testing.T) {
	c := newConversation(t)
	c.q.setMark("inbound_tcp", markOne, c.now)
	listeners := &c.q.types[resourcetype.Listeners]
	if _, known := listeners.versions.get(envoy.InboundListener); known || len(listeners.dirty) > 0 {
		t.Error("the listener counts as one that the client has")
	}
	listeners.versions.set(envoy.InboundListener, stateRevoked)
	c.q.setMark("inbound_tcp", "2222222222222222", c.now)
	if version, _ := listeners.versions.get(envoy.InboundListener); version != stateRevoked || len(listeners.dirty) > 0 {
		t.Error("a listener that was removed from a client that drains is sent to it again")
	}
}

// TestVersionsOfOthersHaveNoMarks reports resources of an earlier stream while a mark is due, and permissions that are not in the snapshot.
func TestVersionsOfOthersHaveNoMarks(t *testing.T) {
	c := newConversation(t)
	c.q.setMark("inbound_tcp", markOne, c.now)
	if got := c.q.reportListener("other", "v-1"); got != "v-1" {
		t.Errorf("the version of another listener is %q, want v-1: it has no marks", got)
	}
	for _, name := range []string{tcpPermissions, "l4_local_rate_limit|inbound_tcp"} {
		c.put(resourcetype.Extensions, "l4_local_rate_limit|inbound_tcp", "a")
		if got := c.q.reportPermissions(name, "hash:list", c.snapshot, c.now); got != "hash:list" || len(c.q.drains.permissions) > 0 {
			t.Errorf("the version of %s is %q, and the permissions of the client are %v; want the reported version, and none", name, got, c.q.drains.permissions)
		}
	}
}

func TestCauseOfAnInvalidRequest(t *testing.T) {
	if err := (&InvalidRequestError{ErrUnanswered}); !errors.Is(err, ErrUnanswered) {
		t.Errorf("the cause is %v, want %v", err.Unwrap(), ErrUnanswered)
	}
}

// TestLossesAreThoseOfTheLatestPermissions takes away what was granted before on the same stream, at two chains.
func TestLossesAreThoseOfTheLatestPermissions(t *testing.T) {
	const second = "l4_rbac|inbound_second_tcp"
	c := newConversation(t)
	c.place(inboundListener(t, "a"))
	c.place(permissionsOf(t, "a"))
	c.place(namedPermissions(t, second, "a"))
	c.reconnect(inboundListener(t, "a"))
	c.reconnect(permissionsOf(t, "a"))
	c.reconnect(namedPermissions(t, second, "a"))
	c.expect("ECDS " + second) // asked for later than at first
	c.ack(resourcetype.Extensions)
	for _, grant := range []*resource.Content{permissionsOf(t, "a", "b"), namedPermissions(t, second, "a", "c")} {
		c.place(grant)
		c.expectPermissions()
		c.expect()
	}
	c.place(permissionsOf(t, "a"))
	c.expectPermissions()
	if marks := c.sentMarks(); len(marks) != 1 || marks["inbound_tcp"] == "" {
		t.Errorf("after the loss of what was granted, the marks are %v, want one on inbound_tcp", marks)
	}
	if held := c.q.drains.permissions; len(held) != 2 {
		t.Errorf("the client has the permissions %v, want those of both chains", held)
	}
}

// TestOtherExtensionsDrainNothing changes the rate limit of a chain. Its version has no list of principals, so a comparison would find a loss.
func TestOtherExtensionsDrainNothing(t *testing.T) {
	const limit = "l4_local_rate_limit|inbound_tcp"
	c := newConversation(t)
	c.place(inboundListener(t, "a"))
	c.reconnect(inboundListener(t, "a"))
	c.put(resourcetype.Extensions, limit, "0")
	c.subscribe(resourcetype.Extensions, limit)
	c.expect("ECDS " + limit)
	c.ack(resourcetype.Extensions)
	for _, text := range []string{"1", "2", "3"} {
		c.put(resourcetype.Extensions, limit, text)
		c.expect("ECDS " + limit)
		c.ack(resourcetype.Extensions)
	}
	c.expect()
}
