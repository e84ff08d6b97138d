package telemetry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

const (
	// maxLogFormat is the longest format of a line, and of all attributes of a record together, in bytes.
	maxLogFormat = 4096
	// maxLogFields bounds the keys of a line of JSON, and the attributes of a record.
	maxLogFields = 64
)

// Read reads a Telemetry (policy.openservicemesh.io/v1alpha1). Invalid parts are skipped and the others apply: the log then has the
// default format, or contains everything. There is no entry if the selector is invalid, or if nothing is configured.
func Read(u *unstructured.Unstructured) (*Policy, []ingest.Problem) {
	spec, found, ok := ingest.DecodeObject[policyv1alpha1.TelemetrySpec](u)
	if !ok {
		return nil, found
	}
	policy := &Policy{Name: ingest.NameOf(u), Created: u.GetCreationTimestamp().UTC()}
	var usable bool
	policy.Selector, usable = ingest.PodSelector(spec.Selector, "selects no pods", &found)
	policy.Metrics = workloadMetrics[spec.Metrics]
	switch {
	case spec.AccessLog != nil:
		logText(spec.AccessLog.Format, policy, &found)
		policy.Filter = logFilter(spec.AccessLog.Filter, &found)
		logExport(spec.AccessLog.OpenTelemetry, policy, &found)
	case spec.Metrics == "":
		found.Reject(ingest.ReasonGrantsNothing, "spec.accessLog is empty, so this Telemetry changes nothing: write a format, a filter or openTelemetry, or write metrics.")
		return nil, found
	}
	if !usable {
		return nil, found
	}
	return policy, found
}

// workloadMetrics has the metrics by their names in a Telemetry. The schema permits no others.
var workloadMetrics = map[policyv1alpha1.WorkloadMetrics]Metrics{
	policyv1alpha1.MetricsAll: AllMetrics, policyv1alpha1.MetricsWithoutRoutes: MetricsWithoutRoutes,
	policyv1alpha1.MetricsNone: NoMetrics,
}

// logText reads the format: a JSON object of keys and formats, or a text.
func logText(format string, policy *Policy, found *ingest.Problems) {
	format = strings.TrimSpace(format)
	switch {
	case len(format) > maxLogFormat:
		found.Reject(ingest.ReasonInvalidFormat, "spec.accessLog.format has %d characters: use at most %d.", len(format), maxLogFormat)
	case strings.HasPrefix(format, "{"):
		if fields, ok := logFields(format, found); ok {
			policy.Fields = fields
			return
		}
	default:
		reason := checkFormat(format)
		if reason == "" {
			policy.Text = format
			return
		}
		found.Reject(ingest.ReasonInvalidFormat, "spec.accessLog.format %s.", reason)
	}
	found.Effect("The log has the default format.")
}

// logFields reads a format in JSON.
func logFields(format string, found *ingest.Problems) (map[string]string, bool) {
	const path = "spec.accessLog.format"
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil {
		found.Reject(ingest.ReasonInvalidFormat, "%s begins with { and is not a JSON object of keys and texts (%.120s): write for example {\"path\": \"%%REQ(:PATH)%%\"}, or a text.", path, err)
		return nil, false
	}
	if len(fields) == 0 || len(fields) > maxLogFields {
		found.Reject(ingest.ReasonInvalidFormat, "%s has %d keys: use 1 to %d.", path, len(fields), maxLogFields)
		return nil, false
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if reason := checkFormat(fields[key]); reason != "" {
			found.Reject(ingest.ReasonInvalidFormat, "%s: the key %.60q %s.", path, key, reason)
			return nil, false
		}
	}
	return fields, true
}

// logFilter reads the expression that selects what is logged.
func logFilter(expression string, found *ingest.Problems) string {
	expression = strings.TrimSpace(expression)
	if expression == "" {
		return ""
	}
	if err := checkExpression(expression); err != nil {
		found.Reject(ingest.ReasonInvalidExpression, "spec.accessLog.filter: %s.", err)
		found.Effect("Everything is logged.")
		return ""
	}
	return expression
}

// logExport reads the collector and the attributes of its records.
func logExport(export *policyv1alpha1.OpenTelemetrySpec, policy *Policy, found *ingest.Problems) {
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
			reason = checkFormat(value)
		}
		if reason != "" {
			found.Reject(ingest.ReasonInvalidFormat, "spec.accessLog.openTelemetry.attributes: the key %.60q %s.", key, reason)
			found.Effect("The attribute is left out.")
			continue
		}
		if policy.Attributes == nil {
			policy.Attributes = map[string]string{}
		}
		policy.Attributes[key] = value
		length += len(key) + len(value)
	}
	policy.Export = ingest.ExtensionRef("spec.accessLog.openTelemetry.extensionService", export.ExtensionService, policy.Name.Namespace, found)
}
