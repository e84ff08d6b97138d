package verdict

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// BenchmarkFirstRequest measures requests to destinations that the sidecar of the client has not loaded, and the next requests to them, over new connections.
// The control plane, the sidecars and their certificates are real. Run it with -benchtime 1x: a destination has one first request.
func BenchmarkFirstRequest(b *testing.B) {
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
	warm := requests[0]
	n.send(warm)
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
