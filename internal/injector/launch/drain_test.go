package launch

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestRun_DrainingEnvoyIsConfigured revokes a permission while an Envoy drains, and counts the connections that the bound of the drain cuts.
func TestRun_DrainingEnvoyIsConfigured(t *testing.T) {
	t.Parallel()
	earlier, current := binaries(t)
	p := newPod(t)
	p.timing.LeastDrain, p.timing.MostDrain = time.Minute, 8*time.Second
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

// TestRun_DrainingEnvoyKeepsListeners documents what a control plane has to know: a draining Envoy accepts a changed listener and does not apply it. It applies
// the removal of one, which ends its connections.
func TestRun_DrainingEnvoyKeepsListeners(t *testing.T) {
	t.Parallel()
	for version, program := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) {
			_, current := binaries(t)
			p := newPod(t)
			draining := p.serveFirst(program)
			time.Sleep(2 * p.timing.Poll)
			kept := p.open()
			p.start(second, sameButNew(t, current))
			p.awaitServing(second, draining)
			socket := admin(p.path(first + ".admin"))
			// The order to drain comes after the record of the serving slot.
			eventually.True(t, timeout, "the Envoy drains", func() bool {
				values, err := socket.statistics("^listener_manager.listener_stopped$")
				return err == nil && values["listener_manager.listener_stopped"] > 0
			})
			old := p.ads.stream(draining)
			changed := p.listener("tcp", p.tcp, `{"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "changed", "cluster": "web"}`)
			if err := old.send(envoy.ListenerType, []envoy.Resource{changed}); err != nil {
				t.Fatal(err)
			}
			eventually.True(t, timeout, "the listener has been received", func() bool {
				values, err := socket.statistics("^listener_manager.lds.update_success$")
				return err == nil && values["listener_manager.lds.update_success"] > 1
			})
			if text, err := socket.get("/config_dump?resource=dynamic_listeners"); err != nil || strings.Contains(text, "changed") || p.ads.rejections() > 0 {
				t.Errorf("a draining Envoy applies or rejects a changed listener: %v", err)
			}
			if err := kept.say(); err != nil {
				t.Errorf("a changed listener ends a connection: %v", err)
			}
			removal := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: envoy.ListenerType, Nonce: "2", RemovedResources: []string{"tcp"}}
			if err := old.server.Send(removal); err != nil {
				t.Fatal(err)
			}
			eventually.True(t, timeout, "a removed listener ends its connections", func() bool { return kept.say() != nil })
		})
	}
}

// sameButNew copies an Envoy and gives it another build ID, as a patch release has.
func sameButNew(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	build, err := buildOf(program)
	if err != nil {
		t.Fatal(err)
	}
	id, err := hex.DecodeString(build)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, id)
	if at < 0 {
		t.Fatal("the program has no build ID")
	}
	content[at] ^= 1
	path := filepath.Join(t.TempDir(), "envoy")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
