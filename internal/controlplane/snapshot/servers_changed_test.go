package snapshot

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDecisionServersChangedIsReported checks after which changes those who read the decision servers of proxies are woken.
func TestDecisionServersChangedIsReported(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, server)
	authorization := &catalog.ExternalAuthorization{Address: "opa", Port: 9191}
	selected, measured := *server, *server
	selected.Labels = map[string]string{"app": "server", "authorized": "true"}
	measured.Labels, measured.Metrics = selected.Labels, true
	policy := &extauthz.Policy{Name: meshtest.Name("a", "policy"), Selector: map[string]string{"authorized": "true"}, Service: meshtest.Name("a", "opa")}
	for _, step := range []struct {
		name        string
		do          func()
		want        bool
		wantServers int
	}{
		{"a change of something else", func() { h.apply(meshtest.Group("a", "routes", "/changed")) }, false, 0},
		{"a server of the mesh", func() { h.apply(&catalog.Settings{ExternalAuthorization: authorization}) }, true, 1},
		{"a policy without pods", func() { h.apply(policy) }, false, 1},
		{"another proxy", func() { h.connect(t, client) }, false, 1},
		{"a pod that the policy selects now", func() { h.apply(&selected) }, true, 2},
		{"a pod with another property", func() { h.apply(&measured) }, false, 2},
		{"no server of the mesh", func() { h.apply(&catalog.Settings{}) }, true, 1},
	} {
		changed := h.store.DecisionServersChanged()
		step.do()
		got := false
		select {
		case <-changed:
			got = true
		default:
		}
		if servers := len(stream.DecisionServers()); got != step.want || servers != step.wantServers {
			t.Errorf("%s: a change of the servers is reported: %t, and the proxy has %d; want %t and %d", step.name, got, servers, step.want, step.wantServers)
		}
	}
}
