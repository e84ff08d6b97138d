package endtoend

import (
	"flag"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

var (
	sidecars = flag.Int("sidecars", 500, "number of connected sidecars")
	routes   = flag.Int("routes", 3000, "least number of HTTPRoutes of BenchmarkRoutes")
	pods     = flag.Int("pods", 10000, "number of pods of BenchmarkColdStart and BenchmarkOperator")
)

// endToEndChanges is the number of changes of each kind.
const endToEndChanges = 200

// startOnCore starts a program on a core of its own.
func startOnCore(c *exec.Cmd) error { return procusage.StartOn(c, procusage.ServerCore) }

// BenchmarkChanges measures changes in two modes. KUBEBUILDER_ASSETS names the programs of the API server, here and in all others.
func BenchmarkChanges(b *testing.B) {
	for _, of := range []struct {
		mode  mesh.Mode
		kinds []mesh.Kind
	}{
		{mesh.Policy, []mesh.Kind{mesh.Endpoint, mesh.Rules, mesh.Grant, mesh.NewService}},
		{mesh.Visible, []mesh.Kind{mesh.Endpoint, mesh.NewService}},
	} {
		b.Run(string(of.mode), func(b *testing.B) {
			must(b, procusage.StayOn(procusage.ClientCore))
			measureMesh(b, options{mode: of.mode, sidecars: *sidecars, start: startOnCore}, of.kinds...)
		})
	}
}

// BenchmarkRoutes measures changes of HTTPRoutes in a mesh with policies. All programs use all cores, as pods do without a limit: otherwise a change
// waits while the controller, or this process, collects garbage. Run it alone: other benchmarks keep this process on one core.
func BenchmarkRoutes(b *testing.B) {
	const rareGCPercent = 800
	debug.SetGCPercent(rareGCPercent)
	services := mesh.New(mesh.Policy, *sidecars).Services
	measureMesh(b, options{
		mode: mesh.Policy, sidecars: *sidecars, routes: (*routes + services - 1) / services, start: (*exec.Cmd).Start,
	}, mesh.Nothing, mesh.Route)
}

// BenchmarkColdStart measures the start of a controller in a mesh without connected sidecars.
func BenchmarkColdStart(b *testing.B) {
	measureMesh(b, options{mode: mesh.Policy, sidecars: *pods, start: startOnCore})
}

func measureMesh(b *testing.B, o options, kinds ...mesh.Kind) {
	b.Helper()
	ctrllog.SetLogger(logr.Discard())
	r := measure(b, o, kinds...)
	row(b, "start", map[string]float64{"ms": ms(r.started), "CPU-ms": ms(r.startCPU), "MB": float64(r.before) / 1e6, "peak-MB": float64(r.peak) / 1e6})
	if len(kinds) > 0 {
		perSidecar := func(resident uint64) float64 {
			return (float64(resident) - float64(r.before)) / 1e3 / float64(o.sidecars)
		}
		row(b, "first-sync", map[string]float64{
			"ms": ms(r.sync), "CPU-ms": ms(r.syncCPU), "MB": float64(r.after) / 1e6, "kB/sidecar": perSidecar(r.after),
		})
		row(b, "idle", map[string]float64{
			"CPU-ms": ms(r.settling), "MB": float64(r.kept) / 1e6, "kB/sidecar": perSidecar(r.kept), "idle-%-of-a-core": 100 * r.idle,
		})
	}
	for _, c := range r.changes {
		at := func(sorted []time.Duration, share float64) float64 {
			return ms(sorted[min(int(share*float64(len(sorted))), len(sorted)-1)])
		}
		row(b, string(c.kind), map[string]float64{
			"p50-ms": at(c.times, 0.5), "p99-ms": at(c.times, 0.99), "after-answer-p50-ms": at(c.delivered, 0.5), "after-answer-p99-ms": at(c.delivered, 0.99),
			"CPU-ms": ms(c.cpu), "B-sent": c.bytes, "status-writes": c.status, "events": c.events, "needless": float64(c.needless),
		})
	}
}

// podsOfNamespace is the number of pods in each namespace of the operator's benchmarks.
const podsOfNamespace = 20

// BenchmarkOperator measures what events of a large mesh cost the real osm-operator.
func BenchmarkOperator(b *testing.B) {
	ctrllog.SetLogger(logr.Discard())
	measureOperator(b, max(1, *pods/podsOfNamespace), *pods)
}

// BenchmarkOperatorUpgrade measures what another Envoy for all sidecars of a large mesh costs the real osm-operator.
func BenchmarkOperatorUpgrade(b *testing.B) {
	ctrllog.SetLogger(logr.Discard())
	measureUpgrade(b, max(1, *pods/podsOfNamespace), *pods)
}

// row reports values as a benchmark of its own, after they were measured.
func row(b *testing.B, name string, values map[string]float64) {
	b.Helper()
	b.Run(strings.ReplaceAll(name, "/", "-"), func(b *testing.B) {
		b.ReportMetric(0, "ns/op") // hides it
		for unit, value := range values {
			b.ReportMetric(value, unit)
		}
	})
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// must fails the benchmark because of an error.
func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
