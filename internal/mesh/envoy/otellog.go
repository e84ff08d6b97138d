package envoy

import (
	"maps"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	otelv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/open_telemetry/v3"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// accessLogName is the name of the exported log.
const accessLogName = "osm"

// openTelemetryLog exports records over gRPC. A text is the body of a record; fields are attributes. Records are lost while the collector
// does not answer, and requests are not affected.
func openTelemetryLog(export *scope.LogExport, filter *accesslogv3.AccessLogFilter, format logFormat) *accesslogv3.AccessLog {
	config := &otelv3.OpenTelemetryAccessLogConfig{
		LogName: accessLogName,
		GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
			EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: extensionClusterName(export.Service.Name)},
		}},
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
