package delta

import (
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestRejectionsCarryNoEscapes rejects a response with a text that would change a terminal.
func TestRejectionsCarryNoEscapes(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Listeners, "l", "1")
	c.subscribe(resourcetype.Listeners)
	c.expect("LDS l")
	result, err := c.q.handleRequest(&discovery.DeltaDiscoveryRequest{
		TypeUrl: resourcetype.Listeners.URL(), ResponseNonce: "1", ErrorDetail: &rpc.Status{Message: "\x1b[2Jall\nis\twell"},
	}, c.snapshot, c.now)
	if err != nil || result.Message != " [2Jall is well" {
		t.Errorf("the message is %q, %v", result.Message, err)
	}
}
