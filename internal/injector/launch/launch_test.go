package launch

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// binaries returns the Envoys of both supported minor versions.
func binaries(t *testing.T) (earlier, current string) {
	t.Helper()
	all := envoytest.Binaries(t)
	return all[envoytest.EarlierVariable], all[envoytest.BinaryVariable]
}

// serveFirst starts both slots with one Envoy.
func (p *pod) serveFirst(program string) int {
	p.t.Helper()
	p.start(first, program)
	epoch := p.awaitServing(first, 0)
	p.start(second, program)
	return epoch
}

// TestRun_UpgradesThereAndBack upgrades under load, waits for the drain, and goes back.
func TestRun_UpgradesThereAndBack(t *testing.T) {
	t.Parallel()
	earlier, current := binaries(t)
	p := newPod(t)
	epoch := p.serveFirst(earlier)
	load := p.startTraffic()
	kept := p.open()
	idle, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.web))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	// The kubelet's requests leave such a connection in the pool of the Envoy that forwards them.
	probes, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.admin))
	if err != nil {
		t.Fatal(err)
	}
	defer probes.Close()
	time.Sleep(time.Second)

	patched := time.Now()
	p.start(second, current)
	upgraded := p.awaitServing(second, epoch)
	t.Logf("the new Envoy serves %s after its slot started", time.Since(patched).Round(time.Millisecond))
	if err := kept.say(); err != nil {
		t.Errorf("a connection of the earlier Envoy is cut: %v", err)
	}
	p.awaitNewEpoch(upgraded)
	time.Sleep(p.timing.LeastDrain + time.Second)
	if err := kept.say(); err != nil {
		t.Errorf("a connection is cut before the end of the drain: %v", err)
	}
	if p.ads.stream(epoch) == nil || p.ads.stream(upgraded) == nil {
		t.Error("an Envoy has no stream to the control plane")
	}
	kept.conn.Close()
	time.Sleep(time.Until(patched.Add(p.timing.Idle)))
	if len(p.pids(epoch)) == 0 {
		t.Error("an Envoy ends before its idle connections have had their time")
	}
	p.awaitEnd(epoch)

	// The idle slot follows the serving one, and then goes back.
	p.start(first, current)
	time.Sleep(5 * p.timing.Poll)
	if pids := p.pids(upgraded); len(pids) != 1 {
		t.Errorf("the serving Envoy has the processes %v", pids)
	}
	p.start(first, earlier)
	back := p.awaitServing(first, upgraded)
	p.awaitNewEpoch(back)
	p.awaitEnd(upgraded)
	load.end(t)
	for _, ended := range []int{epoch, upgraded} {
		if left, err := filepath.Glob(p.path(fmt.Sprintf("*_%d?", ended))); err != nil || len(left) > 0 {
			t.Errorf("Envoy %d left %v, %v", ended, left, err)
		}
	}
	for line := range strings.Lines(p.log.String()) {
		if strings.Contains(line, "handed over") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// awaitEnd waits until the Envoy of an epoch has ended.
func (p *pod) awaitEnd(epoch int) {
	p.t.Helper()
	eventually.True(p.t, timeout, fmt.Sprintf("Envoy %d has ended", epoch), func() bool { return len(p.pids(epoch)) == 0 })
	eventually.True(p.t, timeout, "its shared memory is removed", func() bool {
		_, err := os.Stat(p.memory(epoch))
		return os.IsNotExist(err)
	})
}

// TestRun_RemovesTracesOfKilledLauncher has the traces of an Envoy whose launcher was killed with it, as when the memory of the container runs out. Each file takes
// a part of the volume, and the kubelet evicts a pod with a full one.
func TestRun_RemovesTracesOfKilledLauncher(t *testing.T) {
	t.Parallel()
	_, current := binaries(t)
	p := newPod(t)
	epoch, err := p.nextEpoch(first)
	if err != nil {
		t.Fatal(err)
	}
	left := []string{p.memory(epoch), p.path(fmt.Sprintf("hot_parent_%d", epoch*baseScale)), p.path(fmt.Sprintf("seed_parent_%d", epoch*baseScale))}
	for _, path := range left {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.start(first, current)
	p.awaitServing(first, epoch)
	for _, path := range left {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: %v, want it removed", path, err)
		}
	}
}

// TestRun_FailedUpgradeChangesNothing starts Envoys that never get their configuration, or reject it, or end.
func TestRun_FailedUpgradeChangesNothing(t *testing.T) {
	t.Parallel()
	earlier, current := binaries(t)
	for name, fail := range map[string]func(p *pod, epoch int){
		"silent control plane": func(p *pod, epoch int) {
			p.change(func(of int, typeURL string, usual []envoy.Resource) []envoy.Resource {
				if of != epoch && typeURL == envoy.ListenerType {
					return nil
				}
				return usual
			})
			p.start(second, current)
		},
		"missing routes": func(p *pod, epoch int) {
			p.change(func(of int, typeURL string, usual []envoy.Resource) []envoy.Resource {
				if of != epoch && typeURL == envoy.RouteType {
					return nil
				}
				return usual
			})
			p.start(second, current)
		},
		"rejected listener": func(p *pod, epoch int) {
			p.change(func(of int, typeURL string, usual []envoy.Resource) []envoy.Resource {
				if of != epoch && typeURL == envoy.ListenerType {
					return append(usual, p.listener("bad", p.web+1, `{"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"}`))
				}
				return usual
			})
			p.start(second, current)
		},
		"killed while it starts": func(p *pod, epoch int) {
			p.change(func(of int, typeURL string, usual []envoy.Resource) []envoy.Resource {
				if of != epoch && typeURL == envoy.ListenerType {
					return nil
				}
				return usual
			})
			p.start(second, current)
			eventually.True(t, timeout, "the new Envoy has a stream", func() bool { return p.newest(epoch) != 0 })
			p.kill(p.newest(epoch))
		},
		"no Envoy in the image": func(p *pod, _ int) { p.start(second, "/proc/self/exe-missing") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t)
			p.timing.Handover = 2 * time.Second
			epoch := p.serveFirst(earlier)
			load := p.startTraffic()
			kept := p.open()
			fail(p, epoch)
			eventually.True(t, timeout, "the attempt has failed", func() bool {
				text := p.log.String()
				return strings.Contains(text, "did not take over") || strings.Contains(text, "its image has no Envoy")
			})
			if r, err := p.serving(); err != nil || r.slot != first || r.epoch != epoch || !r.ready {
				t.Errorf("the record is %+v, %v", r, err)
			}
			if err := kept.say(); err != nil {
				t.Errorf("an open connection is cut: %v", err)
			}
			if status, text, err := get("tcp", fmt.Sprintf("127.0.0.1:%d", p.admin), "/stats?filter=^server.live$"); err != nil || status != 200 || !strings.Contains(text, "1") {
				t.Errorf("the admin interface answers %d %q, %v", status, text, err)
			}
			load.end(t)

			// The slot tries again, and needs another image only if it has no Envoy.
			p.change(nil)
			if strings.Contains(name, "no Envoy") {
				p.start(second, current)
			}
			p.awaitServing(second, epoch)
		})
	}
}

// newest returns the epoch of the newest stream that is not the given one; 0 without one.
func (p *pod) newest(not int) int {
	p.ads.mu.Lock()
	defer p.ads.mu.Unlock()
	newest := 0
	for epoch := range p.ads.streams {
		if epoch != not {
			newest = max(newest, epoch)
		}
	}
	return newest
}
