package telemetry

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	otelv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/open_telemetry/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message/logfilter"
)

// Loggers writes a line to standard output per request, or per connection on TCP ports, and exports it if the policy requests it.
// Standard is the default format.
func Loggers(log *AccessLog, filter *accesslogv3.AccessLogFilter, standard map[string]string) []*accesslogv3.AccessLog {
	format := logFormat{fields: standard}
	if log == nil {
		return []*accesslogv3.AccessLog{stdoutLog(filter, format)}
	}
	if log.Filter == nothing {
		return nil
	}
	filter = logfilter.Both(filter, filterOf(log.Filter))
	if log.HasOwnFormat() {
		format = logFormat{text: log.Text, fields: log.Fields}
	}
	out := []*accesslogv3.AccessLog{stdoutLog(filter, format)}
	if log.Export != nil {
		out = append(out, openTelemetryLog(log.Export, filter, format))
	}
	return out
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
		line = message.Text(strings.TrimSuffix(format.text, "\n") + "\n")
	}
	return message.AccessLog("stdout", filter, &streamv3.StdoutAccessLog{AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: line}})
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
func openTelemetryLog(export *Export, filter *accesslogv3.AccessLogFilter, format logFormat) *accesslogv3.AccessLog {
	config := &otelv3.OpenTelemetryAccessLogConfig{
		LogName:           accessLogName,
		GrpcService:       message.GRPC(export.Cluster()),
		ResourceDetectors: message.SidecarEnvironment,
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
	return message.AccessLog("opentelemetry", filter, config)
}

func stringValue(text string) *commonv1.AnyValue {
	return &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: text}}
}

// nothing is the filter of a policy that turns the log off.
const nothing = "false"

// leastStatus matches the filter of a policy that Envoy evaluates without an expression.
var leastStatus = regexp.MustCompile(`^response\.code *>= *([1-5][0-9][0-9])$`)

// filterOf selects what the filter of a policy selects; nil for everything.
func filterOf(expression string) *accesslogv3.AccessLogFilter {
	if expression == "" {
		return nil
	}
	if found := leastStatus.FindStringSubmatch(expression); found != nil {
		if status, err := strconv.ParseUint(found[1], 10, 32); err == nil {
			return logfilter.Status(accesslogv3.ComparisonFilter_GE, uint32(status))
		}
	}
	return logfilter.Expression("telemetry", expression)
}
