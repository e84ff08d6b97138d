package ingest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

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
	spec := specObject(u, &found)
	policy := &catalog.Telemetry{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC()}
	var usable bool
	policy.Selector, usable = podSelector(spec, "selects no pods")
	log := spec.object("accessLog")
	logText(log, policy)
	policy.Filter = logFilter(log)
	logExport(log, policy)
	if malformed := found.onlyMalformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if log.fields == nil {
		found.reject(ReasonGrantsNothing, "spec.accessLog is empty, so this Telemetry changes nothing: write a format, a filter or openTelemetry.")
		return nil, found
	}
	if !usable {
		return nil, found
	}
	return policy, found
}

// podSelector reads labels of pods. The effect describes an object with an invalid label.
func podSelector(spec object, effect string) (map[string]string, bool) {
	labels := spec.object("selector")
	selector := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(labels.fields)) {
		value := labels.text(key)
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			spec.problems.reject(ReasonInvalidName, "spec.selector has %.80q: %.80q, which is not a label, so this object %s: write labels of pods.", key, value, effect)
			return nil, false
		}
		selector[key] = value
	}
	if len(selector) == 0 {
		return nil, true
	}
	return selector, true
}

// logText reads the format: a JSON object of keys and formats, or a text.
func logText(log object, policy *catalog.Telemetry) {
	format := strings.TrimSpace(log.text("format"))
	switch {
	case len(format) > maxLogFormat:
		log.problems.reject(ReasonInvalidFormat, "%s has %d characters: use at most %d.", log.child("format"), len(format), maxLogFormat)
	case strings.HasPrefix(format, "{"):
		if fields, ok := logFields(log, format); ok {
			policy.Fields = fields
			return
		}
	default:
		reason := checkLogFormat(format)
		if reason == "" {
			policy.Text = format
			return
		}
		log.problems.reject(ReasonInvalidFormat, "%s %s.", log.child("format"), reason)
	}
	log.problems.effect("The log has the default format.")
}

// logFields reads a format in JSON.
func logFields(log object, format string) (map[string]string, bool) {
	path := log.child("format")
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil {
		log.problems.reject(ReasonInvalidFormat, "%s begins with { and is not a JSON object of keys and texts (%.120s): write for example {\"path\": \"%%REQ(:PATH)%%\"}, or a text.", path, err)
		return nil, false
	}
	if len(fields) == 0 || len(fields) > maxLogFields {
		log.problems.reject(ReasonInvalidFormat, "%s has %d keys: use 1 to %d.", path, len(fields), maxLogFields)
		return nil, false
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if reason := checkLogFormat(fields[key]); reason != "" {
			log.problems.reject(ReasonInvalidFormat, "%s: the key %.60q %s.", path, key, reason)
			return nil, false
		}
	}
	return fields, true
}

// logFilter reads the expression that selects what is logged.
func logFilter(log object) string {
	expression := strings.TrimSpace(log.text("filter"))
	if expression == "" {
		return ""
	}
	if err := checkExpression(expression); err != nil {
		log.problems.reject(ReasonInvalidExpression, "%s: %s.", log.child("filter"), err)
		log.problems.effect("Everything is logged.")
		return ""
	}
	return expression
}

// logExport reads the collector and the attributes of its records.
func logExport(log object, policy *catalog.Telemetry) {
	export := log.object("openTelemetry")
	if export.fields == nil {
		return
	}
	attributes := export.object("attributes")
	for _, key := range slices.Sorted(maps.Keys(attributes.fields)) {
		value := attributes.text(key)
		reason := checkLogFormat(value)
		if len(policy.Attributes) == maxLogFields {
			reason = "is one too many"
		}
		if reason != "" {
			log.problems.reject(ReasonInvalidFormat, "%s: the key %.60q %s.", attributes.path, key, reason)
			log.problems.effect("The attribute is left out.")
			continue
		}
		if policy.Attributes == nil {
			policy.Attributes = map[string]string{}
		}
		policy.Attributes[key] = value
	}
	policy.Export = extensionRef(export, policy.Name.Namespace)
}

// extensionRef reads a reference to an ExtensionService, by default in the namespace of the policy.
func extensionRef(parent object, namespace string) catalog.Name {
	ref := parent.object("extensionService")
	name := catalog.Name{Namespace: ref.text("namespace"), Name: ref.text("name")}
	if name.Namespace == "" {
		name.Namespace = namespace
	}
	if len(validation.IsDNS1123Subdomain(name.Name)) > 0 || len(validation.IsDNS1123Label(name.Namespace)) > 0 {
		ref.problems.reject(ReasonInvalidName, "%s names %.80q in the namespace %.80q, which no ExtensionService can have: write its name and namespace.", ref.path, name.Name, name.Namespace)
		return catalog.Name{}
	}
	return name
}
