package datapath

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// handshakeRate is how many requests are sent in a second: few enough for a handshake each.
const handshakeRate = 200

// BenchmarkHandshake compares requests on open connections between two sidecars with requests that each need a new one. The pairs take turns. It is the price
// of a short idle timeout.
func BenchmarkHandshake(b *testing.B) {
	p := protocols[0]
	once, single := clientScope(p), uint32(1)
	once.Clusters[0].Upstream = &scope.Upstream{Connections: upstream.ConnectionSettings{MaxRequestsPerConnection: &single}}
	ways := []path{
		{"open", func(t testing.TB, p protocol) pair { return meshPair(t, p, allLoggers) }},
		{"new", func(t testing.TB, p protocol) pair { return meshPairFor(t, p, part{}, once) }},
	}
	takers := make([]*taker, len(ways))
	for i, way := range ways {
		takers[i] = newTaker(b, way, p)
		takers[i].warmUp(b, handshakeRate)
	}
	takeTurns(b, takers, handshakeRate)
	for i, way := range ways {
		b.ReportMetric(lowerDecile(takers[i].costs), way.name+"-cpu-µs/op")
		b.ReportMetric(float64(takers[i].latencies.percentile(0.5).Microseconds()), way.name+"-p50-µs")
	}
}
