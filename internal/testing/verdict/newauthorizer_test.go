package verdict

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestNewAuthorizer_OnOpenConnections adds an authorization server while the sidecar of the client has an open connection. That connection keeps
// the filters from before: it carries one more request without a decision, because its response closes it, and none after the drain time. The
// failure mode of the server has no influence.
func TestNewAuthorizer_OnOpenConnections(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	service := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	service.Ports[0].TargetPort = webPort
	w := podsOnly()
	for _, e := range []catalog.Entry{
		service, newPod(0, "y", ready), newPod(2, "y", ready), Group("a", "g1", "/a"),
		Target("one", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[0]),
	} {
		w[e.Ref()] = e
	}
	denied := webRequest("/a", authz.Header{Name: authorizers[0].header, Value: deniedWord})
	for _, test := range []struct {
		name    string
		open    bool
		idle    time.Duration
		without int
	}{
		{"without an open connection", false, 0, 0},
		{"with an open connection", true, 0, 1},
		{"after the drain time", true, DrainTime + time.Second, 0},
	} {
		for _, failOpen := range []bool{false, true} {
			n.Reset(t, w.with([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: meshNamespace})}))
			time.Sleep(time.Until(n.drained))
			if test.open {
				if seen := n.send(denied); seen != "p2:8080" {
					t.Fatalf("%s: without a server, the request sees %q", test.name, seen)
				}
			}
			n.Reset(t, w.with([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: meshNamespace, ExternalAuthorization: &catalog.ExternalAuthorization{
				Address: outsideAddresses[0].String(), Port: authorizers[0].port, StatPrefix: "x", Timeout: authorizationTimeout, FailureModeAllow: failOpen,
			}})}))
			time.Sleep(test.idle)
			for i := range 5 {
				if seen := n.send(denied); i >= test.without && seen != "401" {
					t.Errorf("%s, fail open %t: request %d after the change sees %q, want 401", test.name, failOpen, i+1, seen)
				}
			}
		}
	}
}
