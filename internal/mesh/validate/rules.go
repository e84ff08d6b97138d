package validate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Rule validates one object.
type Rule func(*unstructured.Unstructured) []ingest.Problem

// Object validates an object by the rules of its kind, whatever its version. Kinds without rules have no problems.
func Object(u *unstructured.Unstructured) []ingest.Problem {
	rule := ruleFor(u.GroupVersionKind().GroupKind())
	if rule == nil {
		return nil
	}
	return rule(u)
}

// ruleFor returns the rule of a kind; nil for kinds without one.
func ruleFor(kind schema.GroupKind) Rule {
	switch kind {
	case schema.GroupKind{Group: "access.smi-spec.io", Kind: "TrafficTarget"}:
		return readerRule(ingest.TrafficTarget)
	case schema.GroupKind{Group: "specs.smi-spec.io", Kind: "HTTPRouteGroup"}:
		return routeGroup
	case schema.GroupKind{Group: "specs.smi-spec.io", Kind: "TCPRoute"}:
		return readerRule(ingest.TCPRoute)
	case schema.GroupKind{Group: "split.smi-spec.io", Kind: "TrafficSplit"}:
		return readerRule(ingest.TrafficSplit)
	case schema.GroupKind{Group: "specs.smi-spec.io", Kind: "UDPRoute"}:
		return ingest.UDPRoute
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "Retry"}:
		return readerRule(ingest.Retry)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "UpstreamTrafficSetting"}:
		return readerRule(ingest.UpstreamTrafficSetting)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "Backpressure"}:
		return readerRule(ingest.Backpressure)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "IngressBackend"}:
		return readerRule(ingest.IngressBackend)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "Egress"}:
		return readerRule(ingest.Egress)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "Telemetry"}:
		return readerRule(ingest.Telemetry)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "ExternalAuthorization"}:
		return readerRule(ingest.ExternalAuthorization)
	case schema.GroupKind{Group: "config.openservicemesh.io", Kind: "ExtensionService"}:
		return readerRule(ingest.ExtensionService)
	case schema.GroupKind{Group: "config.openservicemesh.io", Kind: "MeshConfig"}:
		return meshConfig
	}
	return nil
}

// maxMatches is the bound of the schema. A forged review has not passed the schema.
const maxMatches = 1024

// routeGroup validates an HTTPRouteGroup. It parses no expression of a group that has too many.
func routeGroup(u *unstructured.Unstructured) []ingest.Problem {
	if matches, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "matches"); matches != nil {
		if list, ok := matches.([]any); ok && len(list) > maxMatches {
			return []ingest.Problem{rejection(ingest.ReasonMalformed, "spec.matches has %d matches: use at most %d, or several HTTPRouteGroups.", len(list), maxMatches)}
		}
	}
	return readerRule(ingest.HTTPRouteGroup)(u)
}

// readerRule makes a rule of a reader of package ingest.
func readerRule[T any](read func(*unstructured.Unstructured) (T, []ingest.Problem)) Rule {
	return func(u *unstructured.Unstructured) []ingest.Problem {
		_, problems := read(u)
		return problems
	}
}

// Split separates problems that reject an object from warnings.
func Split(problems []ingest.Problem) (refusals, warnings []string) {
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.Message)
		} else {
			refusals = append(refusals, p.Message)
		}
	}
	return refusals, warnings
}
