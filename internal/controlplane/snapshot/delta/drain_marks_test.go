package delta

import (
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// markOne is a mark as a control plane sets it.
const markOne = "1111111111111111"

// chains are the drain marks of filter chains; empty for none.
type chains map[string]string

// inboundListener returns the inbound listener of a snapshot, with a filter chain for TCP and one for HTTP.
func inboundListener(t *testing.T, stat string) *resource.Content {
	t.Helper()
	listener := &listenerv3.Listener{Name: envoy.InboundListener, StatPrefix: stat, FilterChains: []*listenerv3.FilterChain{{Name: "inbound_tcp"}, {Name: "inbound_http"}}}
	c, err := resource.New(envoy.Resource{TypeURL: envoy.ListenerType, Name: listener.GetName(), Message: listener})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// markedListener returns the inbound listener that a client has.
func markedListener(t *testing.T, stat string, marks chains) *resource.Content {
	t.Helper()
	var all resource.DrainMarks
	for chain, mark := range marks {
		all = all.WithChain(chain, mark)
	}
	marked, err := inboundListener(t, stat).WithDrainMarks(all)
	if err != nil {
		t.Fatal(err)
	}
	return marked
}

// tcpPermissions and httpPermissions are the names of the permissions of the chains.
const (
	tcpPermissions  = "l4_rbac|inbound_tcp"
	httpPermissions = "l4_rbac|inbound_http"
)

// permissionsOf returns the permissions of chain inbound_tcp.
func permissionsOf(t *testing.T, principals ...string) *resource.Content {
	t.Helper()
	return namedPermissions(t, tcpPermissions, principals...)
}

func namedPermissions(t *testing.T, name string, principals ...string) *resource.Content {
	t.Helper()
	policy := &rbacv3.Policy{}
	for _, principal := range principals {
		policy.Principals = append(policy.Principals, &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{
			Authenticated: &rbacv3.Principal_Authenticated{PrincipalName: message.Exact(principal)},
		}})
	}
	config := message.Extension(name, &netrbacv3.RBAC{Rules: &rbacv3.RBAC{Policies: map[string]*rbacv3.Policy{"p": policy}}})
	c, err := resource.New(envoy.Resource{TypeURL: envoy.ExtensionType, Name: name, Message: config})
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
	c.reconnectWith(held, wireVersion(held))
}

func (c *conversation) reconnectWith(held *resource.Content, version string) {
	c.t.Helper()
	req := &discovery.DeltaDiscoveryRequest{TypeUrl: held.Type().URL(), InitialResourceVersions: map[string]string{held.Name(): version}}
	if !held.Type().IsWildcard() {
		req.ResourceNamesSubscribe = []string{held.Name()}
	}
	c.send(req)
}

// sentMarks returns the marks of the inbound listener, which must be sent now and alone. It acknowledges the listener.
func (c *conversation) sentMarks() chains {
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
	c.ack(resourcetype.Listeners)
	c.expect()
	return envoy.DrainMarks(listener)
}

// expectMarks asserts that the inbound listener is sent now, with these marks.
func (c *conversation) expectMarks(want chains) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.sentMarks()); diff != "" {
		c.t.Fatalf("drain marks (-want +got):\n%s", diff)
	}
}

// expectPermissions asserts that permissions are sent now, and acknowledges them. It returns their version.
func (c *conversation) expectPermissions() string {
	c.t.Helper()
	response := c.q.next(c.snapshot, c.now)
	if response == nil || response.Type != resourcetype.Extensions {
		c.t.Fatalf("sent %+v, want the permissions", response)
	}
	c.ack(resourcetype.Extensions)
	return response.Resources[0].WireVersion()
}

// A sidecar that reconnects to another replica keeps its connections: its marks are its own, and no replica has others.
func TestSequencer_KeepsDrainMarksOfClient(t *testing.T) {
	one := chains{"inbound_tcp": markOne}
	c := newConversation(t)
	c.place(inboundListener(t, "a"))
	c.reconnect(markedListener(t, "a", one))
	c.expect()
	c.place(inboundListener(t, "b"))
	c.expectMarks(one)
	// The sidecar moves to another scope, for example because a label of its pod changed.
	c.place(inboundListener(t, "c"))
	c.q.markAllChanged(c.snapshot, c.now)
	c.expectMarks(one)
	c.place(inboundListener(t, "d"))
	c.expect("LDS " + envoy.InboundListener)
	c.nack(resourcetype.Listeners, "no")
	c.place(inboundListener(t, "e"))
	c.expectMarks(one)
}

// A listener of an earlier stream that differs in more than marks is sent.
func TestSequencer_SendsChangedListenerWithMarks(t *testing.T) {
	c := newConversation(t)
	c.place(inboundListener(t, "b"))
	c.reconnect(markedListener(t, "a", chains{"inbound_tcp": markOne}))
	c.expectMarks(chains{"inbound_tcp": markOne})
}

// Each loss of a permission gives another mark, whether or not the sidecar moves to another scope at the same time. A grant gives none.
func TestSequencer_DrainsLostPermissions(t *testing.T) {
	for name, change := range map[string]func(*conversation){
		"in its scope":     func(*conversation) {},
		"in another scope": func(c *conversation) { c.q.markAllChanged(c.snapshot, c.now) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newConversation(t)
			c.place(inboundListener(t, "a"))
			c.place(permissionsOf(t, "a", "b"))
			c.reconnect(markedListener(t, "a", chains{"inbound_tcp": markOne}))
			c.reconnect(permissionsOf(t, "a", "b"))
			c.expect()
			seen := map[string]bool{markOne: true}
			for _, principals := range [][]string{{"a"}, {}, {"a", "b"}, {"b"}, {"a"}} {
				c.place(permissionsOf(t, principals...))
				change(c)
				c.expectPermissions()
				if len(principals) == 2 {
					c.expect() // a grant
					continue
				}
				marks := c.sentMarks()
				if len(marks) != 1 || seen[marks["inbound_tcp"]] {
					t.Fatalf("with %v, the marks are %v, want a new one on inbound_tcp alone", principals, marks)
				}
				seen[marks["inbound_tcp"]] = true
			}
		})
	}
}

// Requests are authorized one by one, so an HTTP port keeps the connections of all its clients.
func TestSequencer_NeverDrainsHTTP(t *testing.T) {
	c := newConversation(t)
	c.place(inboundListener(t, "a"))
	c.place(namedPermissions(t, httpPermissions, "a", "b"))
	c.reconnect(inboundListener(t, "a"))
	c.reconnect(namedPermissions(t, httpPermissions, "a", "b"))
	c.expect()
	c.place(namedPermissions(t, httpPermissions, "a"))
	c.expectPermissions()
	c.expect()
}

// A client may be sent permissions and lose its connection before the listener that drains connections. Any replica then sends the listener,
// whatever the client asks for first.
func TestSequencer_SendsListenerThatWasNotDelivered(t *testing.T) {
	first := newConversation(t)
	first.place(inboundListener(t, "a"))
	first.place(permissionsOf(t, "a", "b"))
	first.reconnect(inboundListener(t, "a"))
	first.reconnect(permissionsOf(t, "a", "b"))
	first.place(permissionsOf(t, "a"))
	held := first.expectPermissions()
	due := first.sentMarks() // lost on the way

	for name, order := range map[string][]func(*conversation){
		"listeners first":   {func(c *conversation) { c.reconnect(inboundListener(t, "a")) }, func(c *conversation) { c.reconnectWith(permissionsOf(t, "a"), held) }},
		"permissions first": {func(c *conversation) { c.reconnectWith(permissionsOf(t, "a"), held) }, func(c *conversation) { c.reconnect(inboundListener(t, "a")) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConversation(t)
			c.place(inboundListener(t, "a"))
			c.place(permissionsOf(t, "a"))
			for _, request := range order {
				request(c)
			}
			c.expectMarks(due)
		})
	}
	t.Run("delivered", func(t *testing.T) {
		c := newConversation(t)
		c.place(inboundListener(t, "a"))
		c.place(permissionsOf(t, "a"))
		c.reconnect(markedListener(t, "a", due))
		c.reconnectWith(permissionsOf(t, "a"), held)
		c.expect()
	})
}

// A source that loses its permission while no replica runs loses its open connections when the proxy has connected again.
func TestSequencer_DrainsLossesFromBeforeItsStream(t *testing.T) {
	none, marked := chains(nil), chains{"inbound_tcp": markOne}
	plainHash := func(c *resource.Content) string { return c.Hash().String() }
	tests := []struct {
		name          string
		held, current *resource.Content
		version       func(*resource.Content) string
		marks         chains
		drains        bool
	}{
		{"the same", permissionsOf(t, "a", "b"), permissionsOf(t, "a", "b"), wireVersion, none, false},
		{"more", permissionsOf(t, "a"), permissionsOf(t, "a", "b"), wireVersion, none, false},
		{"fewer", permissionsOf(t, "a", "b"), permissionsOf(t, "a"), wireVersion, none, true},
		{"fewer, after an earlier loss", permissionsOf(t, "a", "b"), permissionsOf(t, "a"), wireVersion, marked, true},
		{"others", permissionsOf(t, "a"), permissionsOf(t, "b"), wireVersion, none, true},
		{"none", permissionsOf(t, "a"), permissionsOf(t), wireVersion, none, true},
		{"end of permissive mode", permissionsOf(t, envoy.EveryPrincipal), permissionsOf(t, "a"), wireVersion, none, true},
		{"begin of permissive mode", permissionsOf(t, "a"), permissionsOf(t, envoy.EveryPrincipal), wireVersion, none, false},
		{"the same from an earlier control plane", permissionsOf(t, "a"), permissionsOf(t, "a"), plainHash, none, false},
		{"unknown", permissionsOf(t, "a"), permissionsOf(t, "a", "b"), plainHash, none, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newConversation(t)
			c.place(inboundListener(t, "a"))
			c.place(test.current)
			c.reconnect(markedListener(t, "a", test.marks))
			c.expect()
			c.reconnectWith(test.held, test.version(test.held))
			if test.held.Hash() != test.current.Hash() {
				c.expectPermissions()
			}
			if !test.drains {
				c.expect()
				return
			}
			if marks := c.sentMarks(); len(marks) != 1 || marks["inbound_tcp"] == test.marks["inbound_tcp"] {
				t.Errorf("the marks were %v and are %v, want another mark on inbound_tcp alone", test.marks, marks)
			}
		})
	}
}
