package bench

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

var sizes = flag.String("sidecars", "100,500", "numbers of sidecars that BenchmarkMesh measures, separated by commas")

// BenchmarkMesh measures meshes of several sizes in each mode: the first sync, memory, a restart, and each kind of change. One iteration measures a mesh.
func BenchmarkMesh(b *testing.B) {
	for _, mode := range mesh.Modes() {
		b.Run(string(mode), func(b *testing.B) {
			for size := range strings.SplitSeq(*sizes, ",") {
				sidecars, err := strconv.Atoi(size)
				if err != nil {
					b.Fatalf("-sidecars: %v", err)
				}
				b.Run(size, func(b *testing.B) {
					stayOnCore(b)
					report(b, mode, newSession(b, shape{mode, sidecars}, changes).measureAll())
				})
			}
		})
	}
}

// stayOnCore leaves the other core to the measured process.
func stayOnCore(b *testing.B) {
	b.Helper()
	if err := procusage.StayOn(procusage.ClientCore); err != nil {
		b.Fatal(err)
	}
}

// column is a metric with its unit in the output of a benchmark, in which it is multiplied with a factor.
type column struct {
	metric metric
	unit   string
	factor float64
}

// report reports the values of a mesh as benchmarks of their own.
func report(b *testing.B, mode mesh.Mode, values map[metric]float64) {
	b.Helper()
	rows := []struct {
		name    string
		columns []column
	}{
		{"first-sync", []column{{syncWall, "ms", 1e3}, {syncCPU, "CPU-ms", 1e3}, {syncBytes, "B-sent", 1}}},
		{"restart", []column{{restartWall, "ms", 1e3}, {restartCPU, "CPU-ms", 1e3}, {restartShare, "%-sent-again", 100}}},
		{"memory", []column{{memory, "MB", 1e-6}}},
	}
	for _, kind := range mesh.Kinds(mode)[1:] {
		row := rows[0]
		row.name, row.columns = string(kind), nil
		for _, c := range []column{
			{changeP50, "p50-ms", 1e3},
			{changeP99, "p99-ms", 1e3},
			{changeCPU, "CPU-ms", 1e3},
			{changeMeanCPU, "mean-CPU-ms", 1e3},
			{changeBytes, "B-sent", 1},
			{changeNeeded, "B-needed", 1},
			{changeTouched, "touched", 1},
			{changeNothing, "needless", 1},
			{changeAllocs, "allocs", 1},
		} {
			row.columns = append(row.columns, column{c.metric.of(kind), c.unit, c.factor})
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op") // hides it
			for _, c := range row.columns {
				b.ReportMetric(values[c.metric]*c.factor, c.unit)
			}
		})
	}
}

const (
	// identities is the number of certificates that are renewed at once, and renewedSidecars the number of sidecars with one of them.
	identities, renewedSidecars = 2000, identities * mesh.PodsPerService
	// idleChanges is the number of changes measured before.
	idleChanges = 50
)

// BenchmarkRenewal renews all certificates of a mesh at once, and measures how long changes of endpoints take before and meanwhile.
func BenchmarkRenewal(b *testing.B) {
	stayOnCore(b)
	s := newSession(b, shape{mesh.Policy, renewedSidecars}, nil)
	s.sync()
	var idle, cpu, during []float64
	for range idleChanges {
		one := s.change(mesh.Endpoint)
		idle, cpu = append(idle, one[changeP50]), append(cpu, one[changeCPU])
	}
	begun := s.child.do(b, command{Task: renew})
	for now := begun; now.Renewed < identities; now = s.child.do(b, command{Task: awaitRequests}) {
		if span(begun.At, now.At) > s.timeout().Seconds() {
			b.Fatalf("%d of %d certificates are renewed after %s", now.Renewed, identities, s.timeout())
		}
		during = append(during, s.change(mesh.Endpoint)[changeP50])
	}
	ended := s.untilIdle()
	s.stop()
	wall := span(begun.At, ended.At)
	each := (span(begun.CPU, ended.CPU) - median(cpu)*float64(len(during))) / identities
	// Each certificate is renewed at two thirds of its lifetime.
	perSecond := identities / (server.RenewedLifetime.Seconds() * 2 / 3)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(wall, "sec")
	b.ReportMetric(identities/wall, "renewals/sec")
	b.ReportMetric(each*1e3, "CPU-ms")
	b.ReportMetric(perSecond*each*100, fmt.Sprintf("%%-of-a-core-with-%s", server.RenewedLifetime))
	for prefix, times := range map[string][]float64{"before": idle, "meanwhile": during} {
		b.ReportMetric(median(times)*1e3, prefix+"-p50-ms")
		b.ReportMetric(quantile(times, 0.99)*1e3, prefix+"-p99-ms")
		b.ReportMetric(slices.Max(times)*1e3, prefix+"-max-ms")
	}
}

// TestSmallMeshes measures the smallest meshes, and checks results that do not depend on the machine: the number of bytes and of sidecars. A
// measurement ends only when every change has arrived in exactly the expected form.
func TestSmallMeshes(t *testing.T) {
	few := map[mesh.Kind]int{mesh.Endpoint: 4}
	for _, mode := range mesh.Modes() {
		kinds := mesh.Kinds(mode)
		for _, kind := range kinds {
			few[kind] = max(few[kind], 3)
		}
		values := newSession(t, shape{mode, 40}, few).measureAll()
		for _, kind := range kinds[1:] {
			value := func(m metric) float64 { return values[m.of(kind)] }
			reachesNobody := mode == mesh.OnDemand && kind == mesh.NewService // which nobody calls yet
			if value(changeNothing) != 0 || (value(changeTouched) == 0) != reachesNobody {
				t.Errorf("%s, %s: %g sidecars were touched, up to %g of them for nothing", mode, kind, value(changeTouched), value(changeNothing))
			}
			const most = 1.1 // versions are longer than the needed ones
			if value(changeBytes) > most*value(changeNeeded) {
				t.Errorf("%s, %s: %g bytes were sent, of which %g are needed", mode, kind, value(changeBytes), value(changeNeeded))
			}
		}
		if share := values[restartShare]; share >= 0.01 {
			t.Errorf("%s: %.1f%% of the first sync was sent again after a restart", mode, share*100)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.5: 2, 0.51: 3, 0.99: 4, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}
