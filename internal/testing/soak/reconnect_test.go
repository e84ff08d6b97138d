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
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// TestReconnects lets sidecars connect and leave without end, each over a connection of its own, while changes go on reaching one
// that stays. Afterwards nothing of them is left.
func TestReconnects(t *testing.T) {
	p := start(t)
	healthy := p.stay(t)
	p.reconnect(t, 200) // so that everything has been allocated that stays
	eventually(t, "those who left to be forgotten", p.alone)
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
		p.Store.Apply(p.mesh.Toggle(changes % 2)) // an endpoint of the first service goes or comes
		select {
		case <-healthy:
		case <-time.After(patience):
			t.Fatalf("change %d has not reached a healthy sidecar while others reconnect", changes)
		}
	}
	if changes%2 == 1 {
		p.Store.Apply(p.mesh.Toggle(1))
		<-healthy
	}
	eventually(t, "those who left to be forgotten", p.alone)
	t.Logf("%d changes reached the healthy sidecar meanwhile", changes)
	eventually(t, "the goroutines of those who left to end", func() bool {
		return take(t, p.Metrics).goroutines <= before.goroutines
	})
	compare(t, before, take(t, p.Metrics), *reconnects)
}

// alone says whether only the sidecar that stays is connected.
func (p *plane) alone() bool { return len(p.Store.Proxies()) == 1 }

// stay connects a sidecar that may call the first service. It tells whenever that service's endpoints have arrived.
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
	case <-time.After(patience):
		t.Fatal("the healthy sidecar is not configured")
	}
	return arrived
}

// options are how a sidecar connects.
func (p *plane) options(sidecar int) fakexds.Options {
	return fakexds.Options{Address: p.address, TLS: p.tls, Token: p.tokens[sidecar], NodeID: p.mesh.NodeID(sidecar)}
}

// reconnect opens a number of connections, several at a time. Each leaves when it has been sent something.
func (p *plane) reconnect(t *testing.T, connections int) {
	t.Helper()
	const workers = 16
	var wait sync.WaitGroup
	var next, served atomic.Int64
	for worker := range workers {
		wait.Go(func() {
			options := p.options(2*mesh.PodsPerService + worker) // no worker takes another's place, nor the healthy sidecar's
			for next.Add(1) <= int64(connections) {
				ctx, leave := context.WithTimeout(context.Background(), patience)
				options.Applied = func(*discovery.DeltaDiscoveryResponse) {
					served.Add(1)
					leave()
				}
				if err := fakexds.Run(ctx, options, fakexds.NewEnvoy()); !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("a sidecar that connects again was not served: %v", err)
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
