package delta

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Marks as a control plane sets them.
const (
	markOne   = "1111111111111111"
	markTwo   = "2222222222222222"
	markThree = "3333333333333333"
)

// chains are the drain marks of filter chains; empty for none.
type chains map[string]string

// inboundListener returns the inbound listener with filter chains.
func inboundListener(t *testing.T, stat string, marks chains) *resource.Content {
	t.Helper()
	listener := &listenerv3.Listener{Name: envoy.InboundListener, StatPrefix: stat}
	for _, name := range []string{"inbound_tcp", "inbound_web"} {
		chain := &listenerv3.FilterChain{Name: name}
		if mark := marks[name]; mark != "" {
			chain.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
				"osm": {Fields: map[string]*structpb.Value{"drain": structpb.NewStringValue(mark)}},
			}}
		}
		listener.FilterChains = append(listener.FilterChains, chain)
	}
	c, err := resource.New(envoy.Resource{TypeURL: envoy.ListenerType, Name: listener.GetName(), Message: listener})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tcpPermissions is the name of the permissions of chain inbound_tcp.
const tcpPermissions = "l4_rbac|inbound_tcp"

// permissionsOf returns the permissions of chain inbound_tcp.
func permissionsOf(t *testing.T, principals ...string) *resource.Content {
	t.Helper()
	policy := &rbacv3.Policy{}
	for _, name := range principals {
		policy.Principals = append(policy.Principals, &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{
			Authenticated: &rbacv3.Principal_Authenticated{PrincipalName: message.Exact(name)},
		}})
	}
	config := message.Extension(tcpPermissions, &netrbacv3.RBAC{Rules: &rbacv3.RBAC{Policies: map[string]*rbacv3.Policy{"p": policy}}})
	c, err := resource.New(envoy.Resource{TypeURL: envoy.ExtensionType, Name: tcpPermissions, Message: config})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wireVersion(c *resource.Content) string {
	return resource.Versioned{Content: c, Version: c.Hash()}.WireVersion()
}

// place adds or changes a resource of the snapshot.
func (c *conversation) place(content *resource.Content) {
	c.snapshot.contents[content.Type()][content.Name()] = content
	c.q.markChanged(content.Type(), []string{content.Name()}, c.now)
}

// reconnect requests everything of a type with a resource from an earlier stream.
func (c *conversation) reconnect(held *resource.Content) {
	c.t.Helper()
	req := &discovery.DeltaDiscoveryRequest{
		TypeUrl: held.Type().URL(), InitialResourceVersions: map[string]string{held.Name(): wireVersion(held)},
	}
	if !held.Type().IsWildcard() {
		req.ResourceNamesSubscribe = []string{held.Name()}
	}
	c.send(req)
}

// expectMarks asserts that the inbound listener is sent now, with these marks and nothing else, and acknowledges it.
func (c *conversation) expectMarks(want chains) {
	c.t.Helper()
	response := c.q.next(c.snapshot, c.now)
	if response == nil || response.Type != resourcetype.Listeners || len(response.Resources) != 1 {
		c.t.Fatalf("sent %+v, want the inbound listener", response)
	}
	sent, err := response.Proto()
	if err != nil {
		c.t.Fatal(err)
	}
	listener := &listenerv3.Listener{}
	if err := sent.GetResources()[0].GetResource().UnmarshalTo(listener); err != nil {
		c.t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string(want), envoy.DrainMarks(envoy.Resource{Message: listener})); diff != "" {
		c.t.Fatalf("drain marks (-want +got):\n%s", diff)
	}
	c.ack(resourcetype.Listeners)
	c.expect()
}

// A proxy that reconnects to another replica keeps its connections: a replica without the drain marks does not send a listener
// again that differs only in them.
func TestSequencer_IgnoresDrainMarksOfAnotherReplica(t *testing.T) {
	listener := func(stat string, marks chains) *resource.Content { return inboundListener(t, stat, marks) }
	one, two := chains{"inbound_web": markOne}, chains{"inbound_web": markTwo}
	tests := []struct {
		name          string
		held, current *resource.Content
		sent          bool
	}{
		{"same marks", listener("a", one), listener("a", one), false},
		{"replica without marks", listener("a", one), listener("a", nil), false},
		{"replica with one of two marks", listener("a", chains{"inbound_web": markOne, "inbound_tcp": markTwo}), listener("a", one), false},
		{"replica with a new mark", listener("a", nil), listener("a", one), true},
		{"replica with another mark", listener("a", one), listener("a", two), true},
		{"replica without marks and with another listener", listener("a", one), listener("b", nil), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newConversation(t)
			c.place(test.current)
			c.reconnect(test.held)
			if test.sent {
				c.expect("LDS " + envoy.InboundListener)
			} else {
				c.expect()
			}
		})
	}
}

// A chain keeps the mark that another replica set, whatever else changes, until a source loses its permission there.
func TestSequencer_KeepsDrainMarksOfAnotherReplica(t *testing.T) {
	c := newConversation(t)
	c.place(inboundListener(t, "a", nil))
	c.reconnect(inboundListener(t, "a", chains{"inbound_web": markOne}))
	c.expect()

	c.place(inboundListener(t, "a", chains{"inbound_tcp": markTwo}))
	c.expectMarks(chains{"inbound_web": markOne, "inbound_tcp": markTwo})
	c.place(inboundListener(t, "b", chains{"inbound_tcp": markTwo}))
	c.expectMarks(chains{"inbound_web": markOne, "inbound_tcp": markTwo})
	c.place(inboundListener(t, "b", chains{"inbound_tcp": markTwo, "inbound_web": markThree}))
	c.expectMarks(chains{"inbound_web": markThree, "inbound_tcp": markTwo})
	// The proxy moved to another scope, for example because a label of its pod changed. That scope has no marks.
	c.place(inboundListener(t, "c", nil))
	c.expectMarks(chains{"inbound_web": markThree, "inbound_tcp": markTwo})
}

// Replicas that start anew repeat the marks of their predecessors. A loss must not end in the mark that the proxy already has.
func TestSequencer_DrainMarksDifferFromThoseHeld(t *testing.T) {
	marked := inboundListener(t, "a", chains{"inbound_web": markOne})
	c := newConversation(t)
	c.place(inboundListener(t, "a", nil))
	c.reconnect(marked)
	c.expect()
	c.place(marked)
	response := c.q.next(c.snapshot, c.now)
	if response == nil || response.Resources[0].DrainMarks().OfChain("inbound_web") == markOne {
		t.Errorf("sent %+v, want the listener with a mark other than %s", response, markOne)
	}
}

// A listener that the proxy rejects is sent again with the same marks.
func TestSequencer_KeepsDrainMarksAfterNACK(t *testing.T) {
	c := newConversation(t)
	c.place(inboundListener(t, "b", nil))
	c.reconnect(inboundListener(t, "a", chains{"inbound_web": markOne}))
	c.expect("LDS " + envoy.InboundListener)
	c.nack(resourcetype.Listeners, "no")
	c.place(inboundListener(t, "c", nil))
	c.expectMarks(chains{"inbound_web": markOne})
}

// A source that loses its permission while no replica runs loses its open connections when the proxy has connected again.
func TestSequencer_DrainsLossesFromBeforeItsStream(t *testing.T) {
	listener, marked := inboundListener(t, "a", nil), inboundListener(t, "a", chains{"inbound_tcp": markOne, "inbound_web": markTwo})
	plainHash := func(c *resource.Content) string { return c.Hash().String() }
	tests := []struct {
		name          string
		held, current *resource.Content
		version       func(*resource.Content) string
		listener      *resource.Content
		drains        bool
	}{
		{"the same", permissionsOf(t, "a", "b"), permissionsOf(t, "a", "b"), wireVersion, listener, false},
		{"more", permissionsOf(t, "a"), permissionsOf(t, "a", "b"), wireVersion, listener, false},
		{"fewer", permissionsOf(t, "a", "b"), permissionsOf(t, "a"), wireVersion, listener, true},
		{"fewer, after an earlier loss", permissionsOf(t, "a", "b"), permissionsOf(t, "a"), wireVersion, marked, true},
		{"others", permissionsOf(t, "a"), permissionsOf(t, "b"), wireVersion, listener, true},
		{"none", permissionsOf(t, "a"), permissionsOf(t), wireVersion, listener, true},
		{"end of permissive mode", permissionsOf(t, envoy.EveryPrincipal), permissionsOf(t, "a"), wireVersion, listener, true},
		{"begin of permissive mode", permissionsOf(t, "a"), permissionsOf(t, envoy.EveryPrincipal), wireVersion, listener, false},
		{"the same from an earlier control plane", permissionsOf(t, "a"), permissionsOf(t, "a"), plainHash, listener, false},
		{"unknown", permissionsOf(t, "a"), permissionsOf(t, "a", "b"), plainHash, listener, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newConversation(t)
			c.place(listener)
			c.place(test.current)
			c.reconnect(test.listener)
			c.expect()
			c.send(&discovery.DeltaDiscoveryRequest{
				TypeUrl: resourcetype.Extensions.URL(), ResourceNamesSubscribe: []string{tcpPermissions},
				InitialResourceVersions: map[string]string{tcpPermissions: test.version(test.held)},
			})
			if test.held.Hash() != test.current.Hash() {
				response := c.q.next(c.snapshot, c.now)
				if response == nil || response.Type != resourcetype.Extensions {
					t.Fatalf("sent %+v, want the permissions before anything else", response)
				}
				c.ack(resourcetype.Extensions)
			}
			if !test.drains {
				c.expect()
				return
			}
			expectDrained(t, c, test.listener)
		})
	}
}

// expectDrained asserts that the listener is sent with another mark on chain inbound_tcp only.
func expectDrained(t *testing.T, c *conversation, held *resource.Content) {
	t.Helper()
	response := c.q.next(c.snapshot, c.now)
	if response == nil || response.Type != resourcetype.Listeners {
		t.Fatalf("sent %+v, want the inbound listener", response)
	}
	before, after := held.DrainMarks(), response.Resources[0].DrainMarks()
	if before.OfChain("inbound_tcp") == after.OfChain("inbound_tcp") || before.OfChain("inbound_web") != after.OfChain("inbound_web") {
		t.Fatalf("the marks were %v and are %v, want another mark on inbound_tcp alone", before, after)
	}
	c.ack(resourcetype.Listeners)
	c.expect()
}
