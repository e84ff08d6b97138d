package envoy

import (
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Limits on the series of one listener or filter chain. Beyond them Envoy drops new series, keeps the others, and counts what it drops in
// server.stats_overflow. They hold for each logger: with a shared name of the scope they would hold for the sidecar, but Envoy then crashes
// when it validates a configuration.
const (
	// MaxCounters is the maximum number of counters with labels. A counter needs about 0.8 kB.
	MaxCounters = 2000
	// MaxHistograms is the maximum number of histograms with labels. A histogram has 22 series and needs about 5 kB for each thread that uses it.
	MaxHistograms = 200
)

// Limits where many destinations share a connection manager: those of a port number that are loaded on demand, the hosts of an Egress on a
// port number, and the routes of a gateway. They are constant, because another limit would replace the listener and drain its connections.
const (
	// sharedDestinations is for how many destinations the limits are meant: as many as a workload has after its start, see maxUsedDestinations
	// of package snapshot.
	sharedDestinations = 512
	// MaxSharedCounters has 20 counters of each destination, one for each of its workloads and status codes.
	MaxSharedCounters = 20 * sharedDestinations
	// MaxSharedHistograms has two histograms of each destination, one for each of its workloads, such as the two versions of a canary.
	MaxSharedHistograms = 2 * sharedDestinations
)

// StatsPrefix is the prefix of the statistics with labels.
const StatsPrefix = "osm"

// ownStats are the limits of a connection manager or TCP proxy for one Service, and sharedStats those for many destinations.
var ownStats, sharedStats = statsScope(MaxCounters, MaxHistograms), statsScope(MaxSharedCounters, MaxSharedHistograms)

// statsScope gives back the place of a series that nobody increments. Sidecars with a bootstrap of an earlier version have no
// interval for that, see statsEvictionInterval of package bootstrap, and keep all series until they restart.
func statsScope(counters, histograms uint32) *typev3.Scope {
	return &typev3.Scope{
		Prefix: StatsPrefix, MaxCounters: wrapperspb.UInt32(counters), MaxHistograms: wrapperspb.UInt32(histograms), EnableEviction: true,
	}
}
