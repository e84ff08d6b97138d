package ingest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const (
	// maxLogFormat is the longest format of a line, and of all attributes of a record together, in bytes.
	maxLogFormat = 4096
	// maxLogFields bounds the keys of a line of JSON, and the attributes of a record.
	maxLogFields = 64
)

// Telemetry reads a Telemetry (policy.openservicemesh.io/v1alpha1). Invalid parts are skipped and the others apply: the log then has the
// default format, or contains everything. There is no entry if the selector is invalid, or if nothing is configured.
func Telemetry(u *unstructured.Unstructured) (*catalog.Telemetry, []Problem) {
	spec, found, ok := decodeObject[policyv1alpha1.TelemetrySpec](u)
	if !ok {
		return nil, found
	}
	policy := &catalog.Telemetry{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC()}
	var usable bool
	policy.Selector, usable = podSelector(spec.Selector, "selects no pods", &found)
	policy.Metrics = workloadMetrics[spec.Metrics]
	switch {
	case spec.AccessLog != nil:
		logText(spec.AccessLog.Format, policy, &found)
		policy.Filter = logFilter(spec.AccessLog.Filter, &found)
		logExport(spec.AccessLog.OpenTelemetry, policy, &found)
	case spec.Metrics == "":
		found.reject(ReasonGrantsNothing, "spec.accessLog is empty, so this Telemetry changes nothing: write a format, a filter or openTelemetry, or write metrics.")
		return nil, found
	}
	if !usable {
		return nil, found
	}
	return policy, found
}

// workloadMetrics has the metrics by their names in a Telemetry. The schema permits no others.
var workloadMetrics = map[policyv1alpha1.WorkloadMetrics]catalog.WorkloadMetrics{
	policyv1alpha1.MetricsAll: catalog.AllMetrics, policyv1alpha1.MetricsWithoutRoutes: catalog.MetricsWithoutRoutes,
	policyv1alpha1.MetricsNone: catalog.NoMetrics,
}

// podSelector reads labels of pods. The effect describes an object with an invalid label.
func podSelector(labels map[string]string, effect string, found *problems) (map[string]string, bool) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			found.reject(ReasonInvalidName, "spec.selector has %.80q: %.80q, which is not a label, so this object %s: write labels of pods.", key, value, effect)
			return nil, false
		}
	}
	if len(labels) == 0 {
		return nil, true
	}
	return labels, true
}

// logText reads the format: a JSON object of keys and formats, or a text.
func logText(format string, policy *catalog.Telemetry, found *problems) {
	format = strings.TrimSpace(format)
	switch {
	case len(format) > maxLogFormat:
		found.reject(ReasonInvalidFormat, "spec.accessLog.format has %d characters: use at most %d.", len(format), maxLogFormat)
	case strings.HasPrefix(format, "{"):
		if fields, ok := logFields(format, found); ok {
			policy.Fields = fields
			return
		}
	default:
		reason := checkLogFormat(format)
		if reason == "" {
			policy.Text = format
			return
		}
		found.reject(ReasonInvalidFormat, "spec.accessLog.format %s.", reason)
	}
	found.effect("The log has the default format.")
}

// logFields reads a format in JSON.
func logFields(format string, found *problems) (map[string]string, bool) {
	const path = "spec.accessLog.format"
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil {
		found.reject(ReasonInvalidFormat, "%s begins with { and is not a JSON object of keys and texts (%.120s): write for example {\"path\": \"%%REQ(:PATH)%%\"}, or a text.", path, err)
		return nil, false
	}
	if len(fields) == 0 || len(fields) > maxLogFields {
		found.reject(ReasonInvalidFormat, "%s has %d keys: use 1 to %d.", path, len(fields), maxLogFields)
		return nil, false
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if reason := checkLogFormat(fields[key]); reason != "" {
			found.reject(ReasonInvalidFormat, "%s: the key %.60q %s.", path, key, reason)
			return nil, false
		}
	}
	return fields, true
}

// logFilter reads the expression that selects what is logged.
func logFilter(expression string, found *problems) string {
	expression = strings.TrimSpace(expression)
	if expression == "" {
		return ""
	}
	if err := checkExpression(expression); err != nil {
		found.reject(ReasonInvalidExpression, "spec.accessLog.filter: %s.", err)
		found.effect("Everything is logged.")
		return ""
	}
	return expression
}

// logExport reads the collector and the attributes of its records.
func logExport(export *policyv1alpha1.OpenTelemetrySpec, policy *catalog.Telemetry, found *problems) {
	if export == nil {
		return
	}
	length := 0
	for _, key := range slices.Sorted(maps.Keys(export.Attributes)) {
		value := export.Attributes[key]
		var reason string
		switch size := len(key) + len(value); {
		case len(policy.Attributes) == maxLogFields:
			reason = "is one too many"
		case length+size > maxLogFormat:
			reason = fmt.Sprintf("makes the attributes longer than %d characters", maxLogFormat)
		default:
			reason = checkLogFormat(value)
		}
		if reason != "" {
			found.reject(ReasonInvalidFormat, "spec.accessLog.openTelemetry.attributes: the key %.60q %s.", key, reason)
			found.effect("The attribute is left out.")
			continue
		}
		if policy.Attributes == nil {
			policy.Attributes = map[string]string{}
		}
		policy.Attributes[key] = value
		length += len(key) + len(value)
	}
	policy.Export = extensionRef("spec.accessLog.openTelemetry.extensionService", export.ExtensionService, policy.Name.Namespace, found)
}

// extensionRef reads a reference to an ExtensionService, by default in the namespace of the policy.
func extensionRef(path string, ref policyv1alpha1.ExtensionServiceRef, namespace string, found *problems) catalog.Name {
	name := catalog.Name(ref)
	if name.Namespace == "" {
		name.Namespace = namespace
	}
	if len(validation.IsDNS1123Subdomain(name.Name)) > 0 || len(validation.IsDNS1123Label(name.Namespace)) > 0 {
		found.reject(ReasonInvalidName, "%s names %.80q in the namespace %.80q, which no ExtensionService can have: write its name and namespace.", path, name.Name, name.Namespace)
		return catalog.Name{}
	}
	return name
}

// logOperators are the command operators that a format may have. Others are rejected, also because some read files of the sidecar, such
// as its token.
var logOperators = []string{
	"ACCESS_LOG_TYPE", "BYTES_RECEIVED", "BYTES_SENT", "CEL", "CLUSTER_METADATA", "CONNECTION_ID", "CONNECTION_TERMINATION_DETAILS",
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_HEADER_BYTES_RECEIVED",
	"DOWNSTREAM_HEADER_BYTES_SENT", "DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_DNS_SAN",
	"DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_LOCAL_SUBJECT", "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_PEER_CERT_V_END",
	"DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_DNS_SAN", "DOWNSTREAM_PEER_FINGERPRINT_256", "DOWNSTREAM_PEER_ISSUER",
	"DOWNSTREAM_PEER_SERIAL", "DOWNSTREAM_PEER_SUBJECT", "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_REMOTE_ADDRESS",
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_REMOTE_PORT", "DOWNSTREAM_TLS_CIPHER", "DOWNSTREAM_TLS_SESSION_ID",
	"DOWNSTREAM_TLS_VERSION", "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_WIRE_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT",
	"DURATION", "DYNAMIC_METADATA", "EMIT_TIME", "ENVIRONMENT", "FILTER_CHAIN_NAME", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "HOSTNAME",
	"LOCAL_REPLY_BODY", "METADATA", "PATH", "PROTOCOL", "QUERY_PARAM", "QUERY_PARAMS", "REQ", "REQUESTED_SERVER_NAME",
	"REQUEST_DURATION", "REQUEST_HEADERS_BYTES",
	"REQUEST_TX_DURATION", "RESP", "RESPONSE_CODE", "RESPONSE_CODE_DETAILS", "RESPONSE_DURATION", "RESPONSE_FLAGS",
	"RESPONSE_FLAGS_LONG", "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES", "RESPONSE_TX_DURATION", "ROUNDTRIP_DURATION", "ROUTE_NAME",
	"START_TIME", "STREAM_ID", "TLS_JA3_FINGERPRINT", "TRACE_ID", "TRAILER", "UNIQUE_ID", "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_CONNECTION_ID",
	"UPSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_HOST", "UPSTREAM_HOST_NAME", "UPSTREAM_LOCAL_ADDRESS",
	"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "UPSTREAM_LOCAL_DNS_SAN", "UPSTREAM_LOCAL_PORT", "UPSTREAM_LOCAL_URI_SAN", "UPSTREAM_METADATA",
	"UPSTREAM_PEER_DNS_SAN", "UPSTREAM_PEER_ISSUER", "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_PROTOCOL",
	"UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "UPSTREAM_REMOTE_PORT", "UPSTREAM_REQUEST_ATTEMPT_COUNT",
	"UPSTREAM_TLS_CIPHER", "UPSTREAM_TLS_VERSION", "UPSTREAM_TRANSPORT_FAILURE_REASON", "UPSTREAM_WIRE_BYTES_RECEIVED",
	"UPSTREAM_WIRE_BYTES_SENT", "VIRTUAL_CLUSTER_NAME",
}

// withParameter are the operators that need a parameter in parentheses. Others that may have one are in mayHaveParameter.
var (
	withParameter = []string{"CEL", "CLUSTER_METADATA", "DYNAMIC_METADATA", "ENVIRONMENT", "METADATA", "QUERY_PARAM", "REQ", "RESP",
		"TRAILER", "UPSTREAM_METADATA"}
	mayHaveParameter = []string{"DOWNSTREAM_PEER_CERT_V_END", "DOWNSTREAM_PEER_CERT_V_START", "EMIT_TIME", "GRPC_STATUS", "PATH", "QUERY_PARAMS", "START_TIME"}
)

// checkLogFormat returns why sidecars cannot use a format; empty if they can.
func checkLogFormat(format string) string {
	for format != "" {
		start := strings.IndexByte(format, '%')
		if start < 0 {
			return ""
		}
		format = format[start+1:]
		if strings.HasPrefix(format, "%") {
			format = format[1:]
			continue
		}
		length, reason := checkLogOperator(format)
		if reason != "" {
			return reason
		}
		format = format[length:]
	}
	return ""
}

// checkLogOperator checks an operator at the beginning of a text, after its percent sign. It returns its length.
func checkLogOperator(text string) (length int, reason string) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' })
	if end <= 0 {
		return 0, fmt.Sprintf("has a percent sign before %.40q that begins no command operator: write %%%% for a percent sign", text)
	}
	name, rest := text[:end], text[end:]
	if !slices.Contains(logOperators, name) {
		return 0, fmt.Sprintf("has the command operator %%%.40s%%, which is not one that the mesh allows: see the list of Envoy's documentation, and write %%%% for a percent sign", name)
	}
	parameter := ""
	if strings.HasPrefix(rest, "(") {
		closing := closingParenthesis(rest)
		if closing < 0 {
			return 0, fmt.Sprintf("has %%%s( without the closing parenthesis", name)
		}
		parameter, rest = rest[1:closing], rest[closing+1:]
	}
	needs := slices.Contains(withParameter, name)
	switch {
	case needs && parameter == "":
		return 0, fmt.Sprintf("has %%%s%% without its parameter: write it in parentheses", name)
	case parameter != "" && !needs && !slices.Contains(mayHaveParameter, name):
		return 0, fmt.Sprintf("has %%%s(%.40s)%%, which has no parameter", name, parameter)
	case name == "CEL":
		if err := checkValue(parameter); err != nil {
			return 0, fmt.Sprintf("has an invalid expression: %s", err)
		}
	}
	if digits, limited := strings.CutPrefix(rest, ":"); limited {
		rest = strings.TrimLeft(digits, "0123456789")
		if len(rest) == len(digits) || len(digits)-len(rest) > 5 {
			return 0, fmt.Sprintf("has %%%s with a colon that no length of up to 5 digits follows", name)
		}
	}
	if !strings.HasPrefix(rest, "%") {
		return 0, fmt.Sprintf("has %%%s without the percent sign at its end", name)
	}
	return len(text) - len(rest) + 1, ""
}

// closingParenthesis returns the index of the parenthesis that closes the first one; -1 if there is none.
func closingParenthesis(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// LogOperators returns every command operator that a format may have, with an example of its parameter if it needs one.
func LogOperators() []string {
	examples := map[string]string{"CEL": "response.code", "DYNAMIC_METADATA": "a:b", "CLUSTER_METADATA": "a:b",
		"UPSTREAM_METADATA": "a:b", "METADATA": "ROUTE:a:b"}
	var all []string
	for _, name := range logOperators {
		if slices.Contains(withParameter, name) {
			name += "(" + cmp.Or(examples[name], "x-name") + ")"
		}
		all = append(all, "%"+name+"%")
	}
	return all
}
