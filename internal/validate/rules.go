package validate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Rule judges one object.
type Rule func(*unstructured.Unstructured) []ingest.Problem

// Object judges an object by the rules of its kind, whatever its version. Kinds without rules have no problems.
func Object(u *unstructured.Unstructured) []ingest.Problem {
	rule := ruleOf(u.GroupVersionKind().GroupKind())
	if rule == nil {
		return nil
	}
	return rule(u)
}

// ruleOf is the list of all rules by kind; nil for other kinds.
func ruleOf(kind schema.GroupKind) Rule {
	switch kind {
	case schema.GroupKind{Group: "access.smi-spec.io", Kind: "TrafficTarget"}:
		return entryless(ingest.TrafficTarget)
	case schema.GroupKind{Group: "specs.smi-spec.io", Kind: "HTTPRouteGroup"}:
		return entryless(ingest.HTTPRouteGroup)
	case schema.GroupKind{Group: "specs.smi-spec.io", Kind: "TCPRoute"}:
		return entryless(ingest.TCPRoute)
	case schema.GroupKind{Group: "split.smi-spec.io", Kind: "TrafficSplit"}:
		return entryless(ingest.TrafficSplit)
	case schema.GroupKind{Group: "specs.smi-spec.io", Kind: "UDPRoute"}:
		return ingest.UDPRoute
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "Retry"}:
		return entryless(ingest.Retry)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "UpstreamTrafficSetting"}:
		return entryless(ingest.UpstreamTrafficSetting)
	case schema.GroupKind{Group: "policy.openservicemesh.io", Kind: "Backpressure"}:
		return entryless(ingest.Backpressure)
	case schema.GroupKind{Group: "config.openservicemesh.io", Kind: "MeshConfig"}:
		return meshConfig
	}
	return nil
}

// entryless makes a rule of a reader.
func entryless[T any](read func(*unstructured.Unstructured) (T, []ingest.Problem)) Rule {
	return func(u *unstructured.Unstructured) []ingest.Problem {
		_, problems := read(u)
		return problems
	}
}

// Split divides problems into those for which an object is refused and those its author is only told about.
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
