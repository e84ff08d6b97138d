package launch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// upgrade takes over in the second slot and returns the epochs of the draining and of the serving Envoy.
func (p *pod) upgrade(from, to string) (draining, serving int) {
	p.t.Helper()
	draining = p.serveFirst(from)
	time.Sleep(2 * p.timing.Poll)
	p.start(second, to)
	return draining, p.awaitServing(second, draining)
}

// TestRun_DrainingEnvoyKilled kills the Envoy that drains. The serving one writes its statistics many times afterwards, gets a new listener, and is upgraded.
func TestRun_DrainingEnvoyKilled(t *testing.T) {
	t.Parallel()
	earlier, current := binaries(t)
	p := newPod(t)
	draining, serving := p.upgrade(earlier, current)
	load := p.startTraffic()
	p.kill(draining)
	p.awaitEnd(draining)
	extra := freePort(t)
	p.change(func(_ int, typeURL string, usual []envoy.Resource) []envoy.Resource {
		if typeURL == envoy.ListenerType {
			usual = append(usual, p.listener("extra", extra, `{"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "extra", "cluster": "tcp"}`))
		}
		return usual
	})
	if err := p.ads.stream(serving).send(envoy.ListenerType, p.ads.resources(serving, envoy.ListenerType)); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, timeout, "the serving Envoy listens on another port", func() bool {
		status, _, err := get("tcp", fmt.Sprintf("127.0.0.1:%d", extra), "/")
		return err == nil || status != 0 || !strings.Contains(err.Error(), "refused")
	})
	time.Sleep(3 * time.Second) // six flushes of statistics
	if pids := p.pids(serving); len(pids) != 1 {
		t.Fatalf("the serving Envoy has the processes %v", pids)
	}
	p.start(first, current)
	time.Sleep(3 * p.timing.Poll)
	p.start(first, earlier)
	p.awaitServing(first, serving)
	load.end(t)
}

// TestRun_ServingEnvoyCrashes kills the Envoy that has taken over. Another one of the same slot replaces it, and after three crashes one of the other slot.
func TestRun_ServingEnvoyCrashes(t *testing.T) {
	t.Parallel()
	const bound = 5 * time.Second
	earlier, current := binaries(t)
	p := newPod(t)
	_, serving := p.upgrade(earlier, current)
	for crash := range maxCrashes {
		slot := second
		if crash == maxCrashes-1 {
			slot = first
		}
		start := time.Now()
		p.kill(serving)
		serving = p.awaitServing(slot, serving)
		if lasted := time.Since(start); lasted > bound {
			t.Errorf("after crash %d nothing served for %s", crash+1, lasted)
		}
		p.awaitNewEpoch(serving)
	}
}

// TestRun_NewSandbox restarts all containers of a pod, in the order of the kubelet, with and without the state.
func TestRun_NewSandbox(t *testing.T) {
	t.Parallel()
	earlier, current := binaries(t)
	p := newPod(t)
	_, serving := p.upgrade(earlier, current)
	p.stop(second)
	p.stop(first)
	p.start(first, earlier)
	time.Sleep(p.timing.Grace / 2)
	p.start(second, current)
	again := p.awaitServing(second, serving)
	p.awaitNewEpoch(again)

	// Without the state, the first slot serves, and the second one upgrades it again.
	p.stop(second)
	p.stop(first)
	for _, name := range []string{servingFile, first + ".build", second + ".build"} {
		if err := p.write(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	p.start(first, earlier)
	lost := p.awaitServing(first, again)
	p.start(second, current)
	p.awaitServing(second, lost)
}

// TestRun_ServingSlotAway ends the serving container for good: the other slot serves after a while.
func TestRun_ServingSlotAway(t *testing.T) {
	t.Parallel()
	_, current := binaries(t)
	p := newPod(t)
	epoch := p.serveFirst(current)
	time.Sleep(2 * p.timing.Poll)
	p.stop(first)
	serving := p.awaitServing(second, epoch)
	p.awaitNewEpoch(serving)
	// The slot that comes back leaves the role where it is.
	p.start(first, current)
	time.Sleep(5 * p.timing.Poll)
	if r, err := p.serving(); err != nil || r.epoch != serving {
		t.Errorf("the record is %+v, %v", r, err)
	}
}
