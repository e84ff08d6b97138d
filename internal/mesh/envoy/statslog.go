package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// Limits on the series of one listener or filter chain. Beyond them Envoy drops new series and keeps the others. They hold for each
// logger: with a shared name of the scope they would hold for the sidecar, but Envoy then crashes when it validates a configuration.
const (
	// MaxCounters is the maximum number of counters with labels.
	MaxCounters = 2000
	// MaxHistograms is the maximum number of histograms with labels. A histogram has 22 series.
	MaxHistograms = 200
)

// StatsPrefix is the prefix of the statistics with labels.
const StatsPrefix = "osm"

var statsScope = &typev3.Scope{
	Prefix: StatsPrefix, MaxCounters: wrapperspb.UInt32(MaxCounters), MaxHistograms: wrapperspb.UInt32(MaxHistograms),
}

// stat is a counter, or a histogram if it has a unit.
type stat struct {
	name string
	// value is a command operator; empty counts by one.
	value  string
	unit   statsv3.Config_Histogram_Unit
	labels []label
}

// label is a label of a stat, with the command operator of its value. No label has the pod of a peer, or anything else that a
// request contains: the number of series would be unbounded.
type label struct{ name, value string }

// statsLog counts what a filter selects.
func statsLog(filter *accesslogv3.AccessLogFilter, stats []stat) *accesslogv3.AccessLog {
	config := &statsv3.Config{StatsScope: statsScope}
	for _, s := range stats {
		named := &statsv3.Config_Stat{Name: s.name}
		for _, l := range s.labels {
			named.Tags = append(named.Tags, &statsv3.Config_Tag{Name: l.name, ValueFormat: l.value})
		}
		switch {
		case s.unit != statsv3.Config_Histogram_Unspecified:
			config.Histograms = append(config.Histograms, &statsv3.Config_Histogram{Stat: named, Unit: s.unit, ValueFormat: s.value})
		case s.value != "":
			config.Counters = append(config.Counters, &statsv3.Config_Counter{Stat: named, ValueFormat: s.value})
		default:
			config.Counters = append(config.Counters, &statsv3.Config_Counter{Stat: named, ValueFixed: wrapperspb.UInt64(1)})
		}
	}
	return &accesslogv3.AccessLog{
		Name: "stats", Filter: filter,
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: message.Any(config)},
	}
}
