package xds

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRealEnvoyRejects gives the real Envoy a policy that it rejects, at the start and later. The rest of
// the configuration is used and updated. The report names the policy and the error of Envoy.
func TestRealEnvoyRejects(t *testing.T) {
	m := newMesh()
	// With two Services, one response contains a good and a bad route configuration. Envoy ignores the resources
	// after the bad one.
	first := meshtest.Service("a", "first", "server", "10.96.0.2", 81, inventory.ProtocolHTTP)
	target := func(name, group string) *catalog.TrafficTarget {
		return meshtest.Target(name, m.server.Identity(), []catalog.TargetRule{meshtest.HTTP(group)}, m.client.Identity())
	}
	entries := append(m.entries(), first, meshtest.Slice(first.Name, m.server), meshtest.Group("a", "broken", "/("))
	r := startReal(t, m.server, entries...)
	routes := func() string { return r.ask("/config_dump?resource=dynamic_route_configs") }
	eventually.True(t, 15*time.Second, "the good policy in use", func() bool {
		dump := routes()
		return strings.Contains(dump, "rds-inbound.80|a/server") && strings.Contains(dump, "rds-inbound.81|a/first")
	})

	r.control.apply(target("u", "broken"))
	eventually.True(t, 10*time.Second, "the policy quarantined", func() bool { return len(r.control.store.Rejections()) == 1 })
	rejection := r.control.store.Rejections()[0]
	if rejection.Policy.Name != meshtest.Name("a", "u") || !strings.Contains(rejection.Message, "missing )") {
		t.Errorf("quarantined: %+v", rejection)
	}
	r.control.apply(meshtest.Group("a", "routes", "/later"))
	eventually.True(t, 10*time.Second, "a later change in use", func() bool { return strings.Count(routes(), "/later") >= 2 })

	r.control.apply(meshtest.Group("a", "broken", "/mended"), target("u", "broken"), meshtest.Target("u", m.server.Identity(),
		[]catalog.TargetRule{meshtest.HTTP("broken"), meshtest.HTTP("routes")}, m.client.Identity()))
	eventually.True(t, 10*time.Second, "the mended policy in use", func() bool {
		return len(r.control.store.Rejections()) == 0 && strings.Count(routes(), "/mended") >= 2
	})
	eventually.True(t, 5*time.Second, "nothing rejected any more", func() bool { return r.control.store.Proxies()[0].IsUpToDate() })
}

// TestRealEnvoyRejectsAtStart starts a sidecar while a policy is invalid.
func TestRealEnvoyRejectsAtStart(t *testing.T) {
	m := newMesh()
	names := []string{"aaa", "mmm", "zzz"}
	entries := m.entries()
	for i, name := range names {
		service := meshtest.Service("a", name, "server", "10.96.0."+string(rune('3'+i)), uint16(90+i), inventory.ProtocolHTTP)
		entries = append(entries, service, meshtest.Slice(service.Name, m.server))
	}
	entries = append(entries, meshtest.Group("a", "broken", "/("),
		meshtest.Target("u", m.server.Identity(), []catalog.TargetRule{meshtest.HTTP("broken")}, m.client.Identity()))
	r := startReal(t, m.server, entries...)
	eventually.True(t, 15*time.Second, "all inbound routes in use without the broken policy", func() bool {
		dump := r.ask("/config_dump?resource=dynamic_route_configs")
		found := strings.Contains(dump, "rds-inbound.80|a/server")
		for i, name := range names {
			found = found && strings.Contains(dump, "rds-inbound.9"+string(rune('0'+i))+"|a/"+name)
		}
		return found
	})
	if rejections := r.control.store.Rejections(); len(rejections) == 0 {
		t.Error("nothing is quarantined, and Envoy accepts it")
	}
}
