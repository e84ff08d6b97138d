package verdict

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// manyDestinations runs a mesh with 200 Services, of which the client has called the first.
func manyDestinations(b *testing.B) (*Network, []Request) {
	b.Helper()
	const destinations = 200
	n := NewNetwork(b)
	w := podsOnly()
	w.add(&catalog.Settings{Permissive: true})
	var requests []Request
	for i := range destinations {
		service := serviceAt("s1", byte(i+1))
		service.Name = Name("a", fmt.Sprintf("service-%d", i))
		w.add(service)
		requests = append(requests, getFrom(byte(i+1)))
	}
	n.Reset(b, w)
	n.send(requests[0])
	return n, requests
}

// BenchmarkFirstRequestAfterOutage measures the first request to a destination just after the control plane was away for 30 seconds: the sidecar tries to connect
// at a random time within ten seconds. Run it with -benchtime 20x.
func BenchmarkFirstRequestAfterOutage(b *testing.B) {
	const outage = 30 * time.Second
	n, requests := manyDestinations(b)
	var times []time.Duration
	failed := 0
	for b.Loop() {
		requests = requests[1:]
		n.control.gate.cut()
		time.Sleep(outage)
		n.control.gate.restore()
		begun := time.Now()
		if !isAnswer(n.sendWithin(loadLimit, requests[0])) {
			failed++
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(times[len(times)-1].Milliseconds()), "max-ms")
	b.ReportMetric(float64(failed), "failed")
}

// BenchmarkFirstRequest measures requests to destinations that the sidecar of the client has not loaded, and the next requests to them, over new connections.
// The control plane, the sidecars and their certificates are real. Run it with -benchtime 1x: a destination has one first request.
func BenchmarkFirstRequest(b *testing.B) {
	n, requests := manyDestinations(b)
	failed := 0
	measure := func() []time.Duration {
		var times []time.Duration
		for _, r := range requests[1:] {
			begun := time.Now()
			if !isAnswer(n.send(r)) {
				failed++
			}
			times = append(times, time.Since(begun))
		}
		slices.Sort(times)
		return times
	}
	for range b.N {
		for _, name := range []string{"first", "next"} {
			times := measure()
			for quantile, share := range map[string]float64{"p50": 0.5, "p99": 0.99} {
				b.ReportMetric(float64(times[int(share*float64(len(times)-1))].Microseconds())/1000, name+"-"+quantile+"-ms")
			}
		}
	}
	b.ReportMetric(float64(failed), "failed")
}
