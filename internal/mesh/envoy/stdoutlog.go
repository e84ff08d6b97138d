package envoy

import (
	"maps"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

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

// SourceIdentityKey is the key of the client's identity, which its certificate proves. DeniedByKey is the key of what denied the request.
const (
	SourceIdentityKey = "source_identity"
	DeniedByKey       = "denied_by"
)

// standardFormat is accessLogFormat with the mesh's own keys where the sidecar decides; deniedBy is empty elsewhere.
func standardFormat(deniedBy string) map[string]string {
	if deniedBy == "" {
		return accessLogFormat
	}
	format := maps.Clone(accessLogFormat)
	format[SourceIdentityKey], format[DeniedByKey] = "%DOWNSTREAM_PEER_DNS_SAN%", deniedBy
	return format
}

// textLogs writes a line to standard output per request, or per connection on TCP ports, and exports it if the Telemetry requests it.
// DeniedBy is the command operator of that key of the default format.
func textLogs(log *scope.AccessLog, filter *accesslogv3.AccessLogFilter, deniedBy string) []*accesslogv3.AccessLog {
	format := logFormat{fields: standardFormat(deniedBy)}
	if log == nil {
		return []*accesslogv3.AccessLog{stdoutLog(filter, format)}
	}
	if log.Filter != "" {
		filter = both(filter, matching("telemetry", log.Filter))
	}
	if log.Text != "" || len(log.Fields) > 0 {
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
