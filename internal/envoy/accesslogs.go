package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"

	"github.com/openservicemesh/osm-operator/internal/envoy/message"
)

// The access loggers of each kind of listener. They are the same for every sidecar, so that shared resources stay shared.
var (
	// outboundRequestLogs log the requests of the local application.
	outboundRequestLogs = []*accesslogv3.AccessLog{stdoutLog(nil), statsLog(nil, outboundRequestStats)}

	// inboundRequestLogs log requests of other workloads, without health checks of their sidecars.
	inboundRequestLogs = []*accesslogv3.AccessLog{stdoutLog(noHealthCheck), statsLog(noHealthCheck, inboundRequestStats)}

	// outboundConnectionLogs log the TCP connections of the local application.
	outboundConnectionLogs = []*accesslogv3.AccessLog{
		stdoutLog(connectionEnd), statsLog(connectionStart, outboundOpenedStats), statsLog(connectionEnd, outboundClosedStats),
	}

	// inboundConnectionLogs log TCP connections of other workloads.
	inboundConnectionLogs = []*accesslogv3.AccessLog{
		stdoutLog(connectionEnd), statsLog(connectionStart, inboundOpenedStats), statsLog(connectionEnd, inboundClosedStats),
	}

	// outboundListenerLogs log connections to addresses outside the mesh that are closed. Other logs do not contain them.
	outboundListenerLogs = []*accesslogv3.AccessLog{stdoutLog(unmatched)}

	// inboundListenerLogs also count the connections that a policy denies. On HTTP ports they never become requests.
	inboundListenerLogs = []*accesslogv3.AccessLog{stdoutLog(unmatched), statsLog(denied, inboundDeniedStats)}
)

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
	denied = &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name:       "denied",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: message.Any(&celv3.ExpressionFilter{Expression: connectionDenied})},
		},
	}}
)

func logType(kind datav3.AccessLogType) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_LogTypeFilter{
		LogTypeFilter: &accesslogv3.LogTypeFilter{Types: []datav3.AccessLogType{kind}},
	}}
}
