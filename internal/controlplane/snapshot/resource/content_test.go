package resource

import (
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	netrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// made returns the content of a message.
func made(t *testing.T, url string, m proto.Message) *Content {
	t.Helper()
	c, err := New(envoy.Resource{TypeURL: url, Name: "name", Message: m})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// listenerOf returns the content of a listener with filter chains.
func listenerOf(t *testing.T, chains ...string) *Content {
	t.Helper()
	l := &listenerv3.Listener{Name: "name"}
	for _, chain := range chains {
		l.FilterChains = append(l.FilterChains, &listenerv3.FilterChain{Name: chain, FilterChainMatch: &listenerv3.FilterChainMatch{ServerNames: []string{chain}}})
	}
	return made(t, envoy.ListenerType, l)
}

// damaged returns a content whose message cannot be read.
func damaged() *Content {
	return &Content{kind: resourcetype.Listeners, encoded: encode(resourcetype.Listeners, "name", []byte{0xff})}
}

// TestContentIsAResource checks that the fields of a content are those of the protocol.
func TestContentIsAResource(t *testing.T) {
	c := listenerOf(t, "a")
	var got discovery.Resource
	if err := proto.Unmarshal(c.Encoded(), &got); err != nil {
		t.Fatal(err)
	}
	l := &listenerv3.Listener{}
	if err := got.GetResource().UnmarshalTo(l); err != nil || got.GetName() != "name" || l.GetFilterChains()[0].GetName() != "a" {
		t.Errorf("%v, %v", &got, err)
	}
	var withoutName discovery.Resource
	if err := proto.Unmarshal(c.EncodedAny(), &withoutName); err != nil || withoutName.GetName() != "" || !proto.Equal(withoutName.GetResource(), got.GetResource()) {
		t.Errorf("the resource alone is %v, %v", &withoutName, err)
	}
	if c.Type() != resourcetype.Listeners || c.Hash() != hash(c.Encoded()) || c.WireVersion() != "" {
		t.Errorf("%s with the hash %s and the version %q", c.Type(), c.Hash(), c.WireVersion())
	}
	if got := (Versioned{c, c.Hash()}).WireVersion(); got != c.Hash().String() {
		t.Errorf("its version is %q, want its hash", got)
	}
}

// TestWhatIsNoResource checks errors of messages that cannot be sent.
func TestWhatIsNoResource(t *testing.T) {
	for name, r := range map[string]envoy.Resource{
		"an unknown type": {TypeURL: "type.googleapis.com/unknown", Message: &listenerv3.Listener{}},
		"no text":         {TypeURL: envoy.ListenerType, Message: &listenerv3.Listener{Name: "\xff"}},
	} {
		if _, err := New(r); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := NewWithVersion(r, "1"); err == nil {
			t.Errorf("%s, with a version: no error", name)
		}
	}
	c, err := NewWithVersion(envoy.Resource{TypeURL: envoy.ListenerType, Name: "name", Message: &listenerv3.Listener{}}, "1")
	if err != nil || c.WireVersion() != "1" || (Versioned{c, c.Hash()}).WireVersion() != "1" {
		t.Errorf("the content has the version %q, %v", c.WireVersion(), err)
	}
	for name, c := range map[string]*Content{"damaged": {encoded: []byte{0xff}}, "damaged at its end": {encoded: append(slices.Clone(listenerOf(t).encoded), 0xff)}, "no message": {}, "a damaged message": damaged()} {
		if c.decode(&listenerv3.Listener{}) == nil {
			t.Errorf("%s: the content is read as a listener", name)
		}
	}
}

func TestBindsPort(t *testing.T) {
	for name, test := range map[string]struct {
		message proto.Message
		want    bool
	}{
		"by default":  {&listenerv3.Listener{}, true},
		"it does":     {&listenerv3.Listener{BindToPort: wrapperspb.Bool(true)}, true},
		"it does not": {&listenerv3.Listener{BindToPort: wrapperspb.Bool(false)}, false},
		"no listener": {&corev3.Node{}, false},
	} {
		if got := made(t, envoy.ListenerType, test.message).BindsPort(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestVersionOfPermissions checks that only the permissions of TCP ports have their principals in the version.
func TestVersionOfPermissions(t *testing.T) {
	typed, err := anypb.New(&netrbacv3.RBAC{})
	if err != nil {
		t.Fatal(err)
	}
	permissions := func(name string) *Content {
		c, err := New(envoy.Resource{TypeURL: envoy.ExtensionType, Name: name, Message: &corev3.TypedExtensionConfig{Name: name, TypedConfig: typed}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tcp := permissions("l4_rbac|inbound_shop/web_80_tcp")
	if got, want := tcp.WireVersion(), permissionsVersion(tcp.Hash(), nil); got != want {
		t.Errorf("the version is %q, want %q", got, want)
	}
	if got := permissions("l4_rbac|inbound_shop/web_80_http").WireVersion(); got != "" {
		t.Errorf("the version of an HTTP port is %q", got)
	}
	if one, other := permissionsVersion(tcp.Hash(), []string{"a", "b", "c"}), permissionsVersion(tcp.Hash(), []string{"c", "b", "a"}); one != other {
		t.Errorf("the order of principals makes the versions %q and %q", one, other)
	}
}

// TestInterner checks that equal contents are one, and that what nobody uses is forgotten.
func TestInterner(t *testing.T) {
	i := NewInterner()
	first, other := i.Intern(listenerOf(t, "a")), i.Intern(listenerOf(t, "b"))
	if again := i.Intern(listenerOf(t, "a")); again != first || other == first || i.Len() != 2 {
		t.Errorf("equal contents are one: %t, different ones too: %t, and %d are known", again == first, other == first, i.Len())
	}
	key := internKey{first.kind, first.name, first.hash}
	if i.remove(key); i.Len() != 2 {
		t.Error("a content in use is forgotten")
	}
	i.contents[key] = weak.Pointer[Content]{} // it was collected
	if again := i.Intern(first); again != first {
		t.Error("a content that was collected replaces one in use")
	}
	i.contents[key] = weak.Pointer[Content]{}
	if i.remove(key); i.Len() != 1 {
		t.Error("a content that was collected is not forgotten")
	}
	runtime.KeepAlive(first)
	other = nil
	for deadline := time.Now().Add(20 * time.Second); i.Len() > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%v is not forgotten", other)
		}
	}
}

// TestKnownHash checks that a hash is the first half of SHA-256: all replicas, also those of other versions, must agree.
func TestKnownHash(t *testing.T) {
	if got := hash(nil).String(); got != "e3b0c44298fc1c149afbf4c8996fb924" {
		t.Errorf("the hash of nothing is %s", got)
	}
	for version, want := range map[Version]bool{{low: 15}: true, {low: 16}: false, {high: 1}: false} {
		if got := version.IsReserved(); got != want {
			t.Errorf("%s is reserved is %t", version, got)
		}
	}
	if v, ok := ParseVersion(Version{1, 2}.String() + "0"); ok {
		t.Errorf("a version with another digit is read as %s", v)
	}
}
