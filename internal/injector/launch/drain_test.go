package launch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestRun_DrainingEnvoyIsConfigured revokes a permission while an Envoy drains, and counts the connections that the bound of the drain cuts.
func TestRun_DrainingEnvoyIsConfigured(t *testing.T) {
	earlier, current := binaries(t)
	p := newPod(t)
	p.timing.MostDrain = 8 * time.Second
	draining := p.serveFirst(earlier)
	time.Sleep(2 * p.timing.Poll)
	kept := p.open()
	p.start(second, current)
	p.awaitServing(second, draining)

	old := p.ads.stream(draining)
	if old == nil {
		t.Fatal("the draining Envoy has no stream")
	}
	if err := old.send(envoy.RouteType, []envoy.Resource{p.routes(draining, `"direct_response": {"status": 403}`)}); err != nil {
		t.Fatal(err)
	}
	socket := admin(p.path(first + ".admin"))
	eventually.True(t, timeout, "the draining Envoy has the new routes", func() bool {
		text, err := socket.get("/config_dump?resource=dynamic_route_configs")
		return err == nil && strings.Contains(text, "403")
	})
	if text, err := socket.get("/ready"); err != nil {
		t.Errorf("the admin interface of the draining Envoy answers %q, %v", text, err)
	}
	if err := kept.say(); err != nil {
		t.Errorf("the connection is cut before the bound: %v", err)
	}
	p.awaitEnd(draining)
	if kept.say() == nil {
		t.Error("the connection is open after the bound")
	}
	if text := p.log.String(); !strings.Contains(text, "1 connections are cut") || !strings.Contains(text, fmt.Sprintf("_%d: 1", p.tcp)) {
		t.Error("the launcher does not report the connection")
	}
	if p.newEpoch() == "" {
		t.Error("the serving Envoy does not answer")
	}
}
