package envoy

import (
	"maps"
	"slices"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	otelv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/open_telemetry/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// loggers are the access loggers of each kind of listener.
type loggers struct {
	// outboundRequests log the requests of the local application.
	outboundRequests []*accesslogv3.AccessLog
	// inboundRequests log requests of other workloads, without health checks of their sidecars. The response to a denied one must have a status of 400
	// or more, or else authorizedRequests log them.
	inboundRequests, authorizedRequests []*accesslogv3.AccessLog
	// outboundConnections log the TCP connections of the local application.
	outboundConnections []*accesslogv3.AccessLog
	// inboundConnections log TCP connections of other workloads.
	inboundConnections []*accesslogv3.AccessLog
	// outboundListener logs the connections of the local application that are closed, because no policy allows their destination.
	outboundListener []*accesslogv3.AccessLog
	// unroutedConnections logs the connections that no TLSRoute or TCPRoute selects.
	unroutedConnections []*accesslogv3.AccessLog
	// inboundListener also logs and counts the connections that a policy denies. On HTTP ports they never become requests.
	inboundListener []*accesslogv3.AccessLog
}

// standardLoggers are those of sidecars without a Telemetry. They are the same everywhere, so that shared resources stay shared.
var standardLoggers = newLoggers(nil)

// inboundRequestLoggers returns the loggers of inbound requests. Authorization servers may deny them with any status, such as a redirect.
func inboundRequestLoggers(s *translation) []*accesslogv3.AccessLog {
	if s.ExternalAuthorization != nil || len(s.Authorizations) > 0 {
		return s.logs().authorizedRequests
	}
	return s.logs().inboundRequests
}

// newLoggers returns loggers that a Telemetry configures; nil for the default.
func newLoggers(log *scope.AccessLog) *loggers {
	metrics := catalog.AllMetrics
	if log != nil {
		metrics = log.Metrics
	}
	count := func(filter *accesslogv3.AccessLogFilter, stats []stat) []*accesslogv3.AccessLog {
		if metrics == catalog.NoMetrics {
			return nil
		}
		return []*accesslogv3.AccessLog{statsLog(filter, stats)}
	}
	requests := count(noHealthCheck, inboundRequestStats)
	if metrics == catalog.AllMetrics {
		requests = append(requests, statsLog(noHealthCheck, inboundRouteStats))
	}
	requests = append(requests, denialLog(deniedRequest))
	withDenials := inboundFormat(deniedBy(requestDenial))
	return &loggers{
		outboundRequests:   append(textLogs(log, nil, accessLogFormat), count(nil, outboundRequestStats)...),
		inboundRequests:    slices.Concat(requestLogs(log, withDenials), requests),
		authorizedRequests: slices.Concat(textLogs(log, noHealthCheck, withDenials), requests),
		outboundConnections: slices.Concat(textLogs(log, connectionEnd, accessLogFormat),
			count(connectionStart, outboundOpenedStats), count(connectionEnd, outboundClosedStats)),
		inboundConnections: slices.Concat(textLogs(log, connectionEnd, inboundFormat(deniedBy(connectionDenial))),
			count(connectionStart, inboundOpenedStats), count(connectionEnd, inboundClosedStats)),
		outboundListener:    append(textLogs(log, unmatched, closedFormat()), denialLog(unmatched)),
		unroutedConnections: textLogs(log, unmatched, unroutedFormat()),
		inboundListener: slices.Concat(textLogs(log, unmatched, inboundFormat(noPolicy)),
			textLogs(log, matching("denied request connection", deniedBeforeRequest), inboundFormat(noPolicy)),
			[]*accesslogv3.AccessLog{statsLog(denied, inboundDeniedStats), denialLog(deniedOrUnmatched)}),
	}
}

// accessLogFormat has OSM's keys, which log pipelines of users parse.
var accessLogFormat = map[string]string{
	"start_time":            "%START_TIME%",
	"method":                "%REQ(:METHOD)%",
	"path":                  "%REQ(:PATH)%",
	"protocol":              "%PROTOCOL%",
	"response_code":         "%RESPONSE_CODE%",
	"response_code_details": "%RESPONSE_CODE_DETAILS%",
	"time_to_first_byte":    "%RESPONSE_DURATION%",
	"upstream_cluster":      "%UPSTREAM_CLUSTER%",
	"response_flags":        "%RESPONSE_FLAGS%",
	"bytes_received":        "%BYTES_RECEIVED%",
	"bytes_sent":            "%BYTES_SENT%",
	"duration":              "%DURATION%",
	"upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
	"x_forwarded_for":       "%REQ(X-FORWARDED-FOR)%",
	"user_agent":            "%REQ(USER-AGENT)%",
	"request_id":            "%REQ(X-REQUEST-ID)%",
	"requested_server_name": "%REQUESTED_SERVER_NAME%",
	"authority":             "%REQ(:AUTHORITY)%",
	"upstream_host":         "%UPSTREAM_HOST%",
}

// Keys of the mesh, where a sidecar decides. SourceIdentityKey has the client's identity, which its certificate proves, and DeniedByKey what
// denied the request. DestinationKey has the address "<IP>:<port>" of a connection that the client's own sidecar closed.
const (
	SourceIdentityKey = "source_identity"
	DeniedByKey       = "denied_by"
	DestinationKey    = "destination_address"
)

// inboundFormat is accessLogFormat for the sidecar of a server. DeniedBy is a command operator.
func inboundFormat(deniedBy string) map[string]string {
	format := maps.Clone(accessLogFormat)
	format[SourceIdentityKey], format[DeniedByKey] = "%DOWNSTREAM_PEER_DNS_SAN%", deniedBy
	return format
}

// closedFormat is accessLogFormat for connections that the sidecar of the client closes.
func closedFormat() map[string]string {
	format := maps.Clone(accessLogFormat)
	format[DestinationKey], format[DeniedByKey] = "%DOWNSTREAM_LOCAL_ADDRESS%", noPolicy
	return format
}

// unroutedFormat is closedFormat for connections that a policy may allow, and no route selects.
func unroutedFormat() map[string]string {
	format := closedFormat()
	delete(format, DeniedByKey)
	return format
}

// textLogs writes a line to standard output per request, or per connection on TCP ports, and exports it if the Telemetry requests it.
// Standard is the default format.
func textLogs(log *scope.AccessLog, filter *accesslogv3.AccessLogFilter, standard map[string]string) []*accesslogv3.AccessLog {
	format := logFormat{fields: standard}
	if log == nil {
		return []*accesslogv3.AccessLog{stdoutLog(filter, format)}
	}
	if log.Filter == nothing {
		return nil
	}
	filter = both(filter, telemetryFilter(log.Filter))
	if log.Text != "" || len(log.Fields) > 0 {
		format = logFormat{text: log.Text, fields: log.Fields}
	}
	out := []*accesslogv3.AccessLog{stdoutLog(filter, format)}
	if log.Export != nil {
		out = append(out, openTelemetryLog(log.Export, filter, format))
	}
	return out
}

// requestLogs are textLogs of requests that are denied with a status of 400 or more, or with a status of gRPC. For the others the format has no
// expression, which would cost as much as all other keys.
func requestLogs(log *scope.AccessLog, withDenials map[string]string) []*accesslogv3.AccessLog {
	if log != nil && (log.Text != "" || len(log.Fields) > 0) {
		return textLogs(log, noHealthCheck, withDenials)
	}
	return append(textLogs(log, both(noHealthCheck, fulfilled), inboundFormat("")), textLogs(log, both(noHealthCheck, unfulfilled), withDenials)...)
}

// logFormat is a line of text, or else fields of JSON.
type logFormat struct {
	text   string
	fields map[string]string
}

func stdoutLog(filter *accesslogv3.AccessLogFilter, format logFormat) *accesslogv3.AccessLog {
	line := &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: fieldsOf(format.fields)},
	}
	if format.text != "" {
		line.Format = &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: strings.TrimSuffix(format.text, "\n") + "\n"},
		}}
	}
	return &accesslogv3.AccessLog{
		Name:   "stdout",
		Filter: filter,
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: message.Any(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: line},
		})},
	}
}

func fieldsOf(format map[string]string) *structpb.Struct {
	fields := make(map[string]*structpb.Value, len(format))
	for key, value := range format {
		fields[key] = structpb.NewStringValue(value)
	}
	return &structpb.Struct{Fields: fields}
}

// accessLogName is the name of the exported log.
const accessLogName = "osm"

// openTelemetryLog exports records over gRPC. A text is the body of a record; fields are attributes. Records are lost while the collector
// does not answer, and requests are not affected. The resource describes the sidecar as in traces; Envoy 1.39 ignores that.
func openTelemetryLog(export *scope.LogExport, filter *accesslogv3.AccessLogFilter, format logFormat) *accesslogv3.AccessLog {
	config := &otelv3.OpenTelemetryAccessLogConfig{
		LogName: accessLogName,
		GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
			EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: extensionClusterName(export.Service.Name)},
		}},
		ResourceDetectors: environmentOfSidecar,
	}
	attributes := map[string]string{}
	if format.text != "" {
		config.Body = stringValue(format.text)
	} else {
		maps.Copy(attributes, format.fields)
	}
	maps.Copy(attributes, export.Attributes)
	config.Attributes = &commonv1.KeyValueList{}
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		config.Attributes.Values = append(config.Attributes.Values, &commonv1.KeyValue{Key: key, Value: stringValue(attributes[key])})
	}
	return &accesslogv3.AccessLog{
		Name: "opentelemetry", Filter: filter,
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: message.Any(config)},
	}
}

func stringValue(text string) *commonv1.AnyValue {
	return &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: text}}
}

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
