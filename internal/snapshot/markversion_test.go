package snapshot

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/envoy"
)

// inboundListener is a listener whose one chain has a drain mark; an empty mark means none.
func inboundListener(t *testing.T, stat, mark string) *content {
	t.Helper()
	chain := &listenerv3.FilterChain{Name: "web"}
	if mark != "" {
		chain.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			"osm": {Fields: map[string]*structpb.Value{"drain": structpb.NewStringValue(mark)}},
		}}
	}
	c, err := newContent(envoy.Resource{TypeURL: envoy.ListenerType, Name: "inbound", Message: &listenerv3.Listener{
		Name: "inbound", StatPrefix: stat, FilterChains: []*listenerv3.FilterChain{chain},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A sidecar whose control plane is replaced keeps its connections: a replica that never saw a permission being taken away does
// not send a listener again only because its predecessor had marked it.
func TestReplicasAgreeOnMarkedListeners(t *testing.T) {
	tests := []struct {
		name          string
		held, current *content
		sent          bool
	}{
		{"the same marks", inboundListener(t, "a", "1"), inboundListener(t, "a", "1"), false},
		{"a replica without history", inboundListener(t, "a", "1"), inboundListener(t, "a", ""), false},
		{"a replica that saw more", inboundListener(t, "a", ""), inboundListener(t, "a", "1"), true},
		{"a replica that saw something else", inboundListener(t, "a", "1"), inboundListener(t, "a", "2"), true},
		{"a replica without history, and another listener", inboundListener(t, "a", "1"), inboundListener(t, "b", ""), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newTalk(t)
			k.shelf.contents[Listeners]["inbound"] = test.current
			k.send(&discovery.DeltaDiscoveryRequest{
				TypeUrl:                 Listeners.URL(),
				InitialResourceVersions: map[string]string{"inbound": Resource{content: test.held, version: test.held.hash}.Version()},
			})
			if test.sent {
				k.expect("LDS inbound")
			} else {
				k.expect()
			}
		})
	}
}
