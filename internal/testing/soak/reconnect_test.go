package soak

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// TestReconnects connects and disconnects sidecars continuously, while changes still reach one connected sidecar.
// Afterwards no state of the disconnected sidecars remains.
func TestReconnects(t *testing.T) {
	p := start(t)
	healthy := p.stay(t)
	p.reconnect(t, 200) // allocates all state that is kept
	eventually.True(t, timeout, "disconnected sidecars are removed", p.alone)
	before := take(t, p.Metrics)

	done := make(chan struct{})
	go func() {
		defer close(done)
		p.reconnect(t, *reconnects)
	}()
	changes := 0
	for busy := true; busy; changes++ {
		select {
		case <-done:
			busy = false
		case <-time.After(10 * time.Millisecond):
		}
		p.Store.Apply(p.mesh.Toggle(changes % 2)) // removes or adds an endpoint of the first service
		select {
		case <-healthy:
		case <-time.After(timeout):
			t.Fatalf("change %d did not reach the healthy sidecar while others reconnect", changes)
		}
	}
	if changes%2 == 1 {
		p.Store.Apply(p.mesh.Toggle(1))
		<-healthy
	}
	eventually.True(t, timeout, "disconnected sidecars are removed", p.alone)
	t.Logf("%d changes reached the healthy sidecar meanwhile", changes)
	eventually.True(t, timeout, "the goroutines of disconnected sidecars have ended", func() bool {
		return take(t, p.Metrics).goroutines <= before.goroutines
	})
	compare(t, before, take(t, p.Metrics), *reconnects)
}

// alone reports whether only the permanent sidecar is connected.
func (p *plane) alone() bool { return len(p.Store.Proxies()) == 1 }

// stay connects a sidecar that may call the first service. It sends to the channel when that service's endpoints arrive.
func (p *plane) stay(t *testing.T) <-chan struct{} {
	t.Helper()
	arrived := make(chan struct{}, 1)
	const sidecar = mesh.PodsPerService // of the next service
	options := p.options(sidecar)
	options.Applied = func(r *discovery.DeltaDiscoveryResponse) {
		for _, res := range r.GetResources() {
			if r.GetTypeUrl() == fakexds.EndpointType && res.GetName() == mesh.ClusterName(0) {
				arrived <- struct{}{}
			}
		}
	}
	ctx, leave := context.WithCancel(context.Background())
	var left sync.WaitGroup
	left.Go(func() {
		if err := fakexds.Run(ctx, options, fakexds.NewEnvoy()); ctx.Err() == nil {
			t.Errorf("the healthy sidecar was disconnected: %v", err)
		}
	})
	t.Cleanup(func() {
		leave()
		left.Wait()
	})
	select {
	case <-arrived:
	case <-time.After(timeout):
		t.Fatal("the healthy sidecar is not configured")
	}
	return arrived
}

// options returns the options of a sidecar's connection.
func (p *plane) options(sidecar int) fakexds.Options {
	return fakexds.Options{Address: p.address, TLS: p.tls, Token: p.tokens[sidecar], NodeID: p.mesh.NodeID(sidecar)}
}

// reconnect opens a number of connections, several concurrently. Each is closed after its first response.
func (p *plane) reconnect(t *testing.T, connections int) {
	t.Helper()
	const workers = 16
	var wait sync.WaitGroup
	var next, served atomic.Int64
	for worker := range workers {
		wait.Go(func() {
			options := p.options(2*mesh.PodsPerService + worker) // workers and the permanent sidecar use different pods
			for next.Add(1) <= int64(connections) {
				ctx, leave := context.WithTimeout(context.Background(), timeout)
				options.Applied = func(*discovery.DeltaDiscoveryResponse) {
					served.Add(1)
					leave()
				}
				if err := fakexds.Run(ctx, options, fakexds.NewEnvoy()); !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("a reconnecting sidecar was not served: %v", err)
				}
				leave()
			}
		})
	}
	wait.Wait()
	if n := served.Load(); n < int64(connections) {
		t.Errorf("%d of %d connections were served", n, connections)
	}
}
