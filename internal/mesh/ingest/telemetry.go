package ingest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const (
	// maxLogFormat is the longest format of a line, in bytes.
	maxLogFormat = 4096
	// maxLogFields bounds the keys of a line of JSON, and the attributes of a record.
	maxLogFields = 64
)

// Telemetry reads a Telemetry (policy.openservicemesh.io/v1alpha1). Invalid parts are skipped and the others apply: the log then has the
// default format, or contains everything. There is no entry if the selector is invalid, or if nothing is configured.
func Telemetry(u *unstructured.Unstructured) (*catalog.Telemetry, []Problem) {
	var found problems
	spec, ok := decodeSpec[policyv1alpha1.TelemetrySpec](specOf(u), &found)
	if !ok {
		return nil, found
	}
	policy := &catalog.Telemetry{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC()}
	var usable bool
	policy.Selector, usable = podSelector(spec.Selector, "selects no pods", &found)
	if spec.AccessLog == nil {
		found.reject(ReasonGrantsNothing, "spec.accessLog is empty, so this Telemetry changes nothing: write a format, a filter or openTelemetry.")
		return nil, found
	}
	logText(spec.AccessLog.Format, policy, &found)
	policy.Filter = logFilter(spec.AccessLog.Filter, &found)
	logExport(spec.AccessLog.OpenTelemetry, policy, &found)
	if !usable {
		return nil, found
	}
	return policy, found
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
	for _, key := range slices.Sorted(maps.Keys(export.Attributes)) {
		value := export.Attributes[key]
		reason := checkLogFormat(value)
		if len(policy.Attributes) == maxLogFields {
			reason = "is one too many"
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
