package snapshot

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/tenant"
)

// BenchmarkNeighbourAtItsLimits measures how long a change of one namespace takes to reach its sidecar: without another tenant, next to one whose objects are
// as large as they can be, and while that one edits them without a pause. The metrics are milliseconds, and ratios to a mesh without the tenant.
func BenchmarkNeighbourAtItsLimits(b *testing.B) {
	for _, seed := range []uint64{2, 6, 9, 12} { // those of TestTenantWeight
		b.Run(fmt.Sprint("seed ", seed), func(b *testing.B) {
			for range b.N {
				mesh := newBank(b, nil)
				mesh.measure(b) // the first changes of a process are slower
				alone := mesh.measure(b)
				hostile := tenant.Draw(seed)
				neighbour := newBank(b, hostile)
				quiet := neighbour.measure(b)
				stop := neighbour.edit(hostile, seed)
				busy := neighbour.measure(b)
				stop()
				for name, times := range map[string][]time.Duration{"alone": alone, "quiet": quiet, "busy": busy} {
					for share, suffix := range map[int]string{50: "p50", 95: "p95", 100: "max"} {
						b.ReportMetric(float64(percentile(times, share).Microseconds())/1000, name+"-"+suffix+"-ms")
					}
				}
				b.ReportMetric(float64(percentile(quiet, 50))/float64(percentile(alone, 50)), "quiet-ratio")
				b.ReportMetric(float64(percentile(busy, 50))/float64(percentile(alone, 50)), "busy-ratio")
			}
		})
	}
}

func percentile(times []time.Duration, share int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, len(sorted)*share/100)]
}

// bank is a mesh with a namespace whose changes are measured. Its Store runs.
type bank struct {
	store  *Store
	stream *Stream
	edits  int
}

func newBank(b *testing.B, hostile []catalog.Entry) *bank {
	b.Helper()
	store := NewStore(Config{Certificates: newFakeCertificates(time.Now()), Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: time.Now})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = store.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-ended })
	m := &bank{store: store}
	client, own := meshtest.Pod("bank", "client", "client", "client", "10.0.0.1"), meshtest.Pod(tenant.Namespace, "client", "client", "client", "10.0.0.3")
	server := meshtest.Pod("bank", "server", "server", "server", "10.0.0.2")
	service := meshtest.Service("bank", "server", "server", "10.96.0.1", 80, inventory.ProtocolHTTP)
	entries := append([]catalog.Entry{
		&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "bank", Monitored: true},
	}, hostile...)
	entries = append(entries, client, server, own, accountOf(client), accountOf(server), accountOf(own), service, meshtest.Slice(service.Name, server), meshtest.Group("bank", "routes", "/0"),
		meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, client.Identity()))
	pods := []*inventory.Instance{server}
	if hostile != nil {
		pods = append(pods, own)
	}
	for _, entry := range hostile {
		if pod, ok := entry.(*inventory.Instance); ok && len(pods) < 4 {
			entries = append(entries, accountOf(pod))
			pods = append(pods, pod)
		}
	}
	for _, entry := range entries {
		store.Apply([]catalog.Change{catalog.Set(entry)})
	}
	store.MarkSynced()
	for i, pod := range pods {
		stream, err := store.Connect(ctx, peerOf(pod), func() {})
		if err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			m.stream = stream
		}
	}
	return m
}

// measure changes a route of the namespace again and again, and returns how long each change takes to be part of the configuration of the server.
func (m *bank) measure(b *testing.B) []time.Duration {
	b.Helper()
	const number = 100
	var times []time.Duration
	for range number {
		m.edits++
		before := m.routes()
		began := time.Now()
		m.store.Apply([]catalog.Change{catalog.Set(meshtest.Group("bank", "routes", fmt.Sprint("/", m.edits)))})
		for m.routes() == before {
			if time.Since(began) > time.Minute {
				b.Fatal("a change has not arrived after a minute")
			}
			time.Sleep(20 * time.Microsecond)
		}
		times = append(times, time.Since(began))
		time.Sleep(20 * time.Millisecond)
	}
	return times
}

func (m *bank) routes() string {
	content, _ := m.stream.scope.Load().Content(resourcetype.Routes, "rds-inbound.80|bank/server")
	return string(content.Encoded())
}

// edit lets the tenant change its objects in random order without a pause, until the returned function is called.
func (m *bank) edit(hostile []catalog.Entry, seed uint64) (stop func()) {
	random := rand.New(rand.NewPCG(seed, 1))
	variants := [][]catalog.Entry{hostile, tenant.Draw(seed + 100)}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			entries := variants[random.IntN(len(variants))]
			entry := entries[random.IntN(len(entries))]
			if entry.Ref().Name.Namespace == tenant.Namespace {
				m.store.Apply([]catalog.Change{catalog.Set(entry)})
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return func() { close(done); <-ended }
}
