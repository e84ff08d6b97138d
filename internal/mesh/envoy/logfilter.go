package envoy

import (
	"regexp"
	"strconv"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// Filters of access loggers.
var (
	noHealthCheck = &accesslogv3.AccessLogFilter{
		FilterSpecifier: &accesslogv3.AccessLogFilter_NotHealthCheckFilter{NotHealthCheckFilter: &accesslogv3.NotHealthCheckFilter{}},
	}
	connectionStart = logType(datav3.AccessLogType_TcpUpstreamConnected)
	connectionEnd   = logType(datav3.AccessLogType_TcpConnectionEnd)
	// below400 also selects requests without a response.
	below400   = withStatus(accesslogv3.ComparisonFilter_LE, 399)
	atLeast400 = withStatus(accesslogv3.ComparisonFilter_GE, 400)
	// fulfilled selects what unfulfilled does not: requests whose responses have a status of 400 or more, or a status of gRPC other than OK.
	fulfilled   = both(below400, either(ofHTTP, withGRPCStatus(false)))
	unfulfilled = either(atLeast400, both(ofGRPC, withGRPCStatus(true)))
	// ofGRPC selects the calls of gRPC. Envoy infers a status of gRPC for other requests too.
	ofGRPC, ofHTTP = withContent(false), withContent(true)
	// unmatched selects connections that match no filter chain.
	unmatched = withFlags("NR")
	denied    = matching("denied", connectionDenied)
)

// withStatus selects requests by the status of their responses, 0 without one.
func withStatus(op accesslogv3.ComparisonFilter_Op, status uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{StatusCodeFilter: &accesslogv3.StatusCodeFilter{
		Comparison: &accesslogv3.ComparisonFilter{Op: op, Value: &corev3.RuntimeUInt32{DefaultValue: status}},
	}}}
}

// withGRPCStatus selects calls by the status of their responses: OK, or any other.
func withGRPCStatus(failed bool) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_GrpcStatusFilter{GrpcStatusFilter: &accesslogv3.GrpcStatusFilter{
		Statuses: []accesslogv3.GrpcStatusFilter_Status{accesslogv3.GrpcStatusFilter_OK}, Exclude: failed,
	}}}
}

// withContent selects requests of gRPC, or all others, by their content type.
func withContent(others bool) *accesslogv3.AccessLogFilter {
	header := headerMatcher("content-type", hasPrefix("application/grpc"))
	header.InvertMatch, header.TreatMissingHeaderAsEmpty = others, true
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{HeaderFilter: &accesslogv3.HeaderFilter{Header: header}}}
}

// withFlags selects what has any of the flags.
func withFlags(flags ...string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: flags},
	}}
}

// either selects what one of two filters selects.
func either(first, second *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_OrFilter{
		OrFilter: &accesslogv3.OrFilter{Filters: []*accesslogv3.AccessLogFilter{first, second}},
	}}
}

// matching selects what an expression is true for.
func matching(name, expression string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name:       name,
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: message.Any(&celv3.ExpressionFilter{Expression: expression})},
		},
	}}
}

// both selects what two filters select; nil selects everything.
func both(first, second *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: []*accesslogv3.AccessLogFilter{first, second}},
	}}
}

func logType(kind datav3.AccessLogType) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_LogTypeFilter{
		LogTypeFilter: &accesslogv3.LogTypeFilter{Types: []datav3.AccessLogType{kind}},
	}}
}

// nothing is the filter of a Telemetry that turns the log off.
const nothing = "false"

// leastStatus matches the filter of a Telemetry that Envoy evaluates without an expression.
var leastStatus = regexp.MustCompile(`^response\.code *>= *([1-5][0-9][0-9])$`)

// telemetryFilter selects what the filter of a Telemetry selects; nil for everything.
func telemetryFilter(expression string) *accesslogv3.AccessLogFilter {
	if expression == "" {
		return nil
	}
	if found := leastStatus.FindStringSubmatch(expression); found != nil {
		if status, err := strconv.ParseUint(found[1], 10, 32); err == nil {
			return withStatus(accesslogv3.ComparisonFilter_GE, uint32(status))
		}
	}
	return matching("telemetry", expression)
}
