package datapath

import (
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// copies is the number of pairs with the same configuration. The memory of a process decides as much as some parts do.
const copies = 4

var selectedParts = flag.String("parts", ".*", "the parts that BenchmarkParts takes away, as a regular expression")

// BenchmarkParts compares the CPU time of a request without parts of the configuration with the minimal one. Each row is the mean of four pairs.
func BenchmarkParts(b *testing.B) {
	for _, protocol := range protocols[:3] {
		b.Run(protocol.name, func(b *testing.B) { compareParts(b, protocol) })
	}
}

func compareParts(b *testing.B, protocol protocol) {
	parts := partsOf(b, protocol)
	rows := make([][]*taker, len(parts)+1)
	for range copies {
		rows[0] = append(rows[0], newTaker(b, paths[1], protocol))
		for i, p := range parts {
			rows[i+1] = append(rows[i+1], newTaker(b, partPath(p), protocol))
		}
	}
	takers := slices.Concat(rows...)
	for _, t := range takers {
		t.warmUp(b, 0)
	}
	takeTurns(b, takers, 0)
	least := meanCost(rows[0])
	b.ReportMetric(least, "minimal-µs/op")
	for i, p := range parts {
		b.ReportMetric(100*(meanCost(rows[i+1])/least-1), p.name+"-%")
	}
}

func meanCost(pairs []*taker) float64 {
	sum := 0.0
	for _, t := range pairs {
		sum += lowerDecile(t.costs)
	}
	return sum / float64(len(pairs))
}

// part is a configuration of the mesh that lacks something.
type part struct {
	name    string
	manager func(*hcmv3.HttpConnectionManager)
	routes  func(*routev3.RouteConfiguration)
}

// parts begin with the whole configuration. From "loggers" on, all lack the log and the statistics of workloads.
var parts = []part{
	{name: "whole"},
	{name: "share-of-the-log", manager: logEverything},
	{name: "log", manager: withoutLog},
	{name: "log-and-route-statistics", manager: both(withoutLog, withoutRouteStatistics)},
	{name: "log-and-histograms", manager: both(withoutLog, changeStatistics(withoutHistograms))},
	{name: "log-and-labels-of-the-pod", manager: both(withoutLog, changeStatistics(withoutOwnLabels))},
	{name: "log-with-packed-labels", manager: both(withoutLog, changeStatistics(packLabels))},
	{name: "loggers", manager: withoutLoggers},
	{name: "loggers-and-authorization", manager: both(withoutLoggers, withoutFilters("rbac"))},
	{name: "loggers-and-spellings", manager: both(withoutLoggers, withoutFilters("header_mutation"))},
	{name: "loggers-and-dynamic-statistics", manager: both(withoutLoggers, withoutDynamicStatistics)},
	{name: "loggers-and-retries", manager: withoutLoggers, routes: withoutRetries},
}

// multiplexedParts are further ones of protocols over HTTP/2.
var multiplexedParts = []part{
	{name: "log-and-grpc-status", manager: both(withoutLog, changeStatistics(withoutLabel("grpc_status")))},
	{name: "loggers-and-http2-limits", manager: both(withoutLoggers, withoutHTTP2Limits)},
}

// partsOf returns the selected parts of a protocol.
func partsOf(t testing.TB, p protocol) []part {
	t.Helper()
	expression, err := regexp.Compile("^(?:" + *selectedParts + ")$")
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(parts)
	if p.name != protocols[0].name {
		all = append(all, multiplexedParts...)
	}
	return slices.DeleteFunc(all, func(p part) bool { return !expression.MatchString(p.name) })
}

func both(first, second func(*hcmv3.HttpConnectionManager)) func(*hcmv3.HttpConnectionManager) {
	return func(m *hcmv3.HttpConnectionManager) { first(m); second(m) }
}

func withoutLoggers(m *hcmv3.HttpConnectionManager) { m.AccessLog = nil }

func withoutHTTP2Limits(m *hcmv3.HttpConnectionManager) { m.Http2ProtocolOptions = nil }

// logEverything is the log of meshes that do not log a share of the requests.
func logEverything(m *hcmv3.HttpConnectionManager) {
	for _, logger := range m.GetAccessLog() {
		selectAll(logger.GetFilter())
	}
}

// selectAll replaces the share that a filter selects, at any depth.
func selectAll(filter *accesslogv3.AccessLogFilter) {
	if share := filter.GetRuntimeFilter().GetPercentSampled(); share != nil {
		share.Numerator = 1_000_000
	}
	for _, inner := range slices.Concat(filter.GetAndFilter().GetFilters(), filter.GetOrFilter().GetFilters()) {
		selectAll(inner)
	}
}

func withoutLog(m *hcmv3.HttpConnectionManager) {
	m.AccessLog = slices.DeleteFunc(m.AccessLog, onlyText)
}

func withoutRouteStatistics(m *hcmv3.HttpConnectionManager) {
	m.AccessLog = slices.DeleteFunc(m.AccessLog, func(logger *accesslogv3.AccessLog) bool {
		config := &statsv3.Config{}
		return logger.GetTypedConfig().UnmarshalTo(config) == nil && strings.Contains(config.GetCounters()[0].GetStat().GetName(), "route")
	})
}

func withoutFilters(name string) func(*hcmv3.HttpConnectionManager) {
	return func(m *hcmv3.HttpConnectionManager) {
		m.HttpFilters = slices.DeleteFunc(m.HttpFilters, func(f *hcmv3.HttpFilter) bool { return strings.Contains(f.GetName(), name) })
	}
}

func withoutDynamicStatistics(m *hcmv3.HttpConnectionManager) {
	router := m.GetHttpFilters()[len(m.GetHttpFilters())-1]
	router.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{DynamicStats: wrapperspb.Bool(false)})}
}

// changeStatistics changes the loggers that count.
func changeStatistics(change func(*statsv3.Config)) func(*hcmv3.HttpConnectionManager) {
	return func(m *hcmv3.HttpConnectionManager) {
		for _, logger := range m.GetAccessLog() {
			config := &statsv3.Config{}
			if logger.GetTypedConfig().UnmarshalTo(config) == nil {
				change(config)
				logger.ConfigType = &accesslogv3.AccessLog_TypedConfig{TypedConfig: packed(config)}
			}
		}
	}
}

func withoutHistograms(config *statsv3.Config) { config.Histograms = nil }

func withoutOwnLabels(config *statsv3.Config) {
	for _, s := range statsOf(config) {
		s.Tags = slices.DeleteFunc(s.Tags, func(t *statsv3.Config_Tag) bool { return strings.Contains(t.GetValueFormat(), "ENVIRONMENT") })
	}
}

func withoutLabel(name string) func(*statsv3.Config) {
	return func(config *statsv3.Config) {
		for _, s := range statsOf(config) {
			s.Tags = slices.DeleteFunc(s.Tags, func(t *statsv3.Config_Tag) bool { return t.GetName() == name })
		}
	}
}

// packLabels makes one label of all that differ between requests.
func packLabels(config *statsv3.Config) {
	withoutOwnLabels(config)
	for _, s := range statsOf(config) {
		var values []string
		for _, t := range s.GetTags() {
			values = append(values, t.GetValueFormat())
		}
		s.Tags = []*statsv3.Config_Tag{{Name: "labels", ValueFormat: strings.Join(values, "|")}}
	}
}

func statsOf(config *statsv3.Config) []*statsv3.Config_Stat {
	var out []*statsv3.Config_Stat
	for _, c := range config.GetCounters() {
		out = append(out, c.GetStat())
	}
	for _, h := range config.GetHistograms() {
		out = append(out, h.GetStat())
	}
	return out
}

func withoutRetries(r *routev3.RouteConfiguration) {
	for _, host := range r.GetVirtualHosts() {
		host.RetryPolicy = nil
		for _, route := range host.GetRoutes() {
			if action := route.GetRoute(); action != nil {
				action.RetryPolicy = nil
			}
		}
	}
}

func partPath(p part) path {
	return path{p.name, func(t testing.TB, protocol protocol) pair { return meshPairFor(t, protocol, p, clientScope(protocol)) }}
}

// apply returns changed copies of resources.
func (p part) apply(t testing.TB, resources []envoy.Resource) []envoy.Resource {
	t.Helper()
	for i, r := range resources {
		switch m := proto.Clone(r.Message).(type) {
		case *listenerv3.Listener:
			for _, chain := range m.GetFilterChains() {
				for _, filter := range chain.GetFilters() {
					changeManager(t, filter, p.manager)
				}
			}
			resources[i].Message = m
		case *routev3.RouteConfiguration:
			if p.routes != nil {
				p.routes(m)
			}
			resources[i].Message = m
		}
	}
	return resources
}

// changeManager changes a filter that handles HTTP.
func changeManager(t testing.TB, filter *listenerv3.Filter, change func(*hcmv3.HttpConnectionManager)) {
	t.Helper()
	manager := &hcmv3.HttpConnectionManager{}
	if change == nil || !filter.GetTypedConfig().MessageIs(manager) {
		return
	}
	if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	change(manager)
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(manager)}
}

func packed(m proto.Message) *anypb.Any {
	out, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return out
}
