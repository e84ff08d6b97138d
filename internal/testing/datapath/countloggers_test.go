package datapath

import (
	"cmp"
	"net/http"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// countLoggers counts what the loggers of a connection or request do at an event.
func (c *counter) countLoggers(list []*accesslogv3.AccessLog, event datav3.AccessLogType) {
	c.event = event
	for _, logger := range list {
		c.add("loggers", 1)
		if share := c.selects(logger.GetFilter(), 1); share > 0 {
			c.countEntry(logger.GetTypedConfig(), share)
		}
	}
}

// countEntry counts what a logger does for a share of what happens.
func (c *counter) countEntry(packed *anypb.Any, share float64) {
	config := unpacked(c, packed)
	operators, expressions := countOperators(config)
	c.addShare("expressions", share*float64(expressions))
	statistics, is := config.(*statsv3.Config)
	if !is {
		c.addShare("log entries", share)
		c.addShare("operators in the log", share*float64(operators))
		return
	}
	c.addShare("operators in statistics", share*float64(operators))
	c.addShare("counters", share*float64(len(statistics.GetCounters())))
	c.addShare("histograms", share*float64(len(statistics.GetHistograms())))
	for _, s := range statsOf(statistics) {
		c.addShare("labels", share*float64(len(s.GetTags())))
	}
}

// selects returns the share that a filter selects, and counts its conditions. It is evaluated for a share of what happens.
func (c *counter) selects(f *accesslogv3.AccessLogFilter, evaluated float64) float64 {
	c.Helper()
	switch {
	case f == nil:
		return 1
	case f.GetAndFilter() != nil:
		selected := 1.0
		for _, child := range f.GetAndFilter().GetFilters() {
			selected *= c.selects(child, evaluated*selected)
		}
		return selected
	case f.GetOrFilter() != nil:
		omitted := 1.0
		for _, child := range f.GetOrFilter().GetFilters() {
			omitted *= 1 - c.selects(child, evaluated*omitted)
		}
		return 1 - omitted
	}
	c.addShare("conditions of loggers", evaluated)
	return c.meets(f, evaluated)
}

// meets is selects for a filter that consists of one condition.
func (c *counter) meets(f *accesslogv3.AccessLogFilter, evaluated float64) float64 {
	c.Helper()
	switch f := f.GetFilterSpecifier().(type) {
	case *accesslogv3.AccessLogFilter_NotHealthCheckFilter:
		return 1
	case *accesslogv3.AccessLogFilter_ResponseFlagFilter:
		return 0
	case *accesslogv3.AccessLogFilter_DurationFilter:
		return meetsComparison(f.DurationFilter.GetComparison(), 0)
	case *accesslogv3.AccessLogFilter_StatusCodeFilter:
		return meetsComparison(f.StatusCodeFilter.GetComparison(), http.StatusOK)
	case *accesslogv3.AccessLogFilter_GrpcStatusFilter:
		is := slices.Contains(f.GrpcStatusFilter.GetStatuses(), accesslogv3.GrpcStatusFilter_OK)
		return one(is != f.GrpcStatusFilter.GetExclude())
	case *accesslogv3.AccessLogFilter_LogTypeFilter:
		return one(slices.Contains(f.LogTypeFilter.GetTypes(), c.event) != f.LogTypeFilter.GetExclude())
	case *accesslogv3.AccessLogFilter_HeaderFilter:
		return one(c.hasHeader(f.HeaderFilter.GetHeader()))
	case *accesslogv3.AccessLogFilter_MetadataFilter:
		return one(c.matches(f.MetadataFilter.GetMatcher().GetValue().GetStringMatch(), "allowed"))
	case *accesslogv3.AccessLogFilter_RuntimeFilter:
		return share(f.RuntimeFilter.GetPercentSampled())
	case *accesslogv3.AccessLogFilter_ExtensionFilter:
		c.addShare("expressions", evaluated)
		return c.meetsExpression(f.ExtensionFilter.GetName())
	}
	c.Fatalf("which of the requests that succeed does %v select?", f)
	return 0
}

// meetsExpression knows the expressions by the names of their filters: all select what is denied or has no destination.
func (c *counter) meetsExpression(name string) float64 {
	c.Helper()
	if !slices.Contains([]string{"denied", "denied request connection", "unknown destination"}, name) {
		c.Fatalf("which of the requests that succeed does the expression %q select?", name)
	}
	return 0
}

func meetsComparison(comparison *accesslogv3.ComparisonFilter, value uint32) float64 {
	order := cmp.Compare(value, comparison.GetValue().GetDefaultValue())
	switch comparison.GetOp() {
	case accesslogv3.ComparisonFilter_GE:
		return one(order >= 0)
	case accesslogv3.ComparisonFilter_LE:
		return one(order <= 0)
	case accesslogv3.ComparisonFilter_NE:
		return one(order != 0)
	default:
		return one(order == 0)
	}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func share(percent *typev3.FractionalPercent) float64 {
	whole := map[typev3.FractionalPercent_DenominatorType]float64{
		typev3.FractionalPercent_HUNDRED: 100, typev3.FractionalPercent_TEN_THOUSAND: 1e4, typev3.FractionalPercent_MILLION: 1e6,
	}
	return float64(percent.GetNumerator()) / whole[percent.GetDenominator()]
}
