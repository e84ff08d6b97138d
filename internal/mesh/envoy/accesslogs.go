package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// loggers are the access loggers of each kind of listener.
type loggers struct {
	// outboundRequests log the requests of the local application.
	outboundRequests []*accesslogv3.AccessLog
	// inboundRequests log requests of other workloads, without health checks of their sidecars.
	inboundRequests []*accesslogv3.AccessLog
	// outboundConnections log the TCP connections of the local application.
	outboundConnections []*accesslogv3.AccessLog
	// inboundConnections log TCP connections of other workloads.
	inboundConnections []*accesslogv3.AccessLog
	// outboundListener logs connections to addresses outside the mesh that are closed. Other logs do not contain them.
	outboundListener []*accesslogv3.AccessLog
	// inboundListener also logs and counts the connections that a policy denies. On HTTP ports they never become requests.
	inboundListener []*accesslogv3.AccessLog
}

// standardLoggers are those of sidecars without a Telemetry. They are the same everywhere, so that shared resources stay shared.
var standardLoggers = newLoggers(nil)

// loggersOf returns the loggers of a sidecar.
func loggersOf(s *scope.Scope) *loggers {
	if s.AccessLog == nil {
		return standardLoggers
	}
	return newLoggers(s.AccessLog)
}

// newLoggers returns loggers whose text a Telemetry configures; nil for the default. Statistics do not depend on it.
func newLoggers(log *scope.AccessLog) *loggers {
	unmatchedLogs, deniedLogs := textLogs(log, unmatched, noPolicy), textLogs(log, matching("denied request connection", deniedBeforeRequest), noPolicy)
	return &loggers{
		outboundRequests: append(textLogs(log, nil, ""), statsLog(nil, outboundRequestStats)),
		inboundRequests: append(textLogs(log, noHealthCheck, deniedBy(requestDenial)),
			statsLog(noHealthCheck, inboundRequestStats), statsLog(noHealthCheck, inboundRouteStats)),
		outboundConnections: append(textLogs(log, connectionEnd, ""),
			statsLog(connectionStart, outboundOpenedStats), statsLog(connectionEnd, outboundClosedStats)),
		inboundConnections: append(textLogs(log, connectionEnd, deniedBy(connectionDenial)),
			statsLog(connectionStart, inboundOpenedStats), statsLog(connectionEnd, inboundClosedStats)),
		outboundListener: unmatchedLogs,
		inboundListener:  append(append(unmatchedLogs[:len(unmatchedLogs):len(unmatchedLogs)], deniedLogs...), statsLog(denied, inboundDeniedStats)),
	}
}

// Filters of access loggers.
var (
	noHealthCheck = &accesslogv3.AccessLogFilter{
		FilterSpecifier: &accesslogv3.AccessLogFilter_NotHealthCheckFilter{NotHealthCheckFilter: &accesslogv3.NotHealthCheckFilter{}},
	}
	connectionStart = logType(datav3.AccessLogType_TcpUpstreamConnected)
	connectionEnd   = logType(datav3.AccessLogType_TcpConnectionEnd)
	// unmatched selects connections that match no filter chain.
	unmatched = &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"NR"}},
	}}
	denied = matching("denied", connectionDenied)
)

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
