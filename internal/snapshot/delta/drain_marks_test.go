package delta

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/snapshot/resource"
)

// inboundListener returns a listener whose only filter chain has a drain mark; empty for none.
func inboundListener(t *testing.T, stat, mark string) *resource.Content {
	t.Helper()
	chain := &listenerv3.FilterChain{Name: "web"}
	if mark != "" {
		chain.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			"osm": {Fields: map[string]*structpb.Value{"drain": structpb.NewStringValue(mark)}},
		}}
	}
	c, err := resource.New(envoy.Resource{TypeURL: envoy.ListenerType, Name: "inbound", Message: &listenerv3.Listener{
		Name: "inbound", StatPrefix: stat, FilterChains: []*listenerv3.FilterChain{chain},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A proxy that reconnects to another replica keeps its connections: a replica without the drain marks does not send a listener
// again that differs only in them.
func TestSequencer_IgnoresDrainMarksOfAnotherReplica(t *testing.T) {
	tests := []struct {
		name          string
		held, current *resource.Content
		sent          bool
	}{
		{"same marks", inboundListener(t, "a", "1"), inboundListener(t, "a", "1"), false},
		{"replica without marks", inboundListener(t, "a", "1"), inboundListener(t, "a", ""), false},
		{"replica with a new mark", inboundListener(t, "a", ""), inboundListener(t, "a", "1"), true},
		{"replica with another mark", inboundListener(t, "a", "1"), inboundListener(t, "a", "2"), true},
		{"replica without marks and with another listener", inboundListener(t, "a", "1"), inboundListener(t, "b", ""), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newConversation(t)
			c.snapshot.contents[resource.Listeners]["inbound"] = test.current
			c.send(&discovery.DeltaDiscoveryRequest{
				TypeUrl:                 resource.Listeners.URL(),
				InitialResourceVersions: map[string]string{"inbound": resource.Versioned{Content: test.held, Version: test.held.Hash()}.WireVersion()},
			})
			if test.sent {
				c.expect("LDS inbound")
			} else {
				c.expect()
			}
		})
	}
}
