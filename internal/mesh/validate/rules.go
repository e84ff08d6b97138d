package validate

import (
	"fmt"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Object validates an object by the rules of its kind, whatever its version. Kinds without rules have no problems.
func Object(u *unstructured.Unstructured) []ingest.Problem {
	kind, found := kinds.Lookup(u.GroupVersionKind().GroupKind())
	switch {
	case !found:
		return nil
	case kind.GroupVersionKind == kinds.MeshConfigs:
		return meshConfig(u)
	case kind.GroupVersionKind == kinds.HTTPRouteGroup && countMatches(u) > maxMatches:
		return []ingest.Problem{rejection(ingest.ReasonMalformed, "spec.matches has %d matches: use at most %d, or several HTTPRouteGroups.", countMatches(u), maxMatches)}
	}
	return kind.Validate(u)
}

// maxMatches is the bound of the schema. A forged review has not passed the schema.
const maxMatches = 1024

// countMatches returns how many matches an HTTPRouteGroup has. Of a group with too many, no expression is parsed.
func countMatches(u *unstructured.Unstructured) int {
	matches, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "matches")
	list, _ := matches.([]any)
	return len(list)
}

// Split separates problems that reject an object from warnings.
func Split(problems []ingest.Problem) (rejections, warnings []string) {
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.Message)
		} else {
			rejections = append(rejections, p.Message)
		}
	}
	return rejections, warnings
}

// meshConfig validates a MeshConfig of any version. The older version is a subset of the newer one.
func meshConfig(u *unstructured.Unstructured) []ingest.Problem {
	var config configv1alpha2.MeshConfig
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &config); err != nil {
		return []ingest.Problem{{Reason: ingest.ReasonMalformed, Message: fmt.Sprintf("A field of this MeshConfig has the wrong type: %s.", err)}}
	}
	_, problems := ingest.MeshConfig(&config)
	problems = append(problems, durations(&config.Spec)...)
	problems = append(problems, exclusions(config.Spec.Traffic)...)
	if config.Name != configv1alpha2.Name {
		problems = append(problems, warning(ingest.ReasonUnsupported, "A mesh reads the MeshConfig named %s alone: this one, %s, has no effect.", configv1alpha2.Name, config.Name))
	}
	return problems
}

func rejection(reason, format string, args ...any) ingest.Problem {
	return ingest.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func warning(reason, format string, args ...any) ingest.Problem {
	return ingest.Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: true}
}

// durations validates the durations that ingest does not read.
func durations(spec *configv1alpha2.MeshConfigSpec) []ingest.Problem {
	fields := []struct{ path, text, example string }{
		{"spec.traffic.inboundExternalAuthorization.timeout", spec.Traffic.InboundExternalAuthorization.Timeout, "1s"},
	}
	if gateway := spec.Certificate.IngressGateway; gateway != nil {
		fields = append(fields, struct{ path, text, example string }{"spec.certificate.ingressGateway.validityDuration", gateway.ValidityDuration, "24h"})
	}
	var problems []ingest.Problem
	for _, f := range fields {
		if f.text == "" {
			continue
		}
		if d, err := time.ParseDuration(f.text); err != nil || d < 0 {
			problems = append(problems, rejection(ingest.ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example %s.", f.path, f.text, f.example))
		}
	}
	return problems
}

// exclusions validates what is excluded from interception.
func exclusions(traffic configv1alpha2.TrafficSpec) []ingest.Problem {
	var problems []ingest.Problem
	for _, f := range []struct {
		field  string
		ranges []string
	}{
		{"outboundIPRangeExclusionList", traffic.OutboundIPRangeExclusionList},
		{"outboundIPRangeInclusionList", traffic.OutboundIPRangeInclusionList},
	} {
		for _, text := range f.ranges {
			if _, err := netip.ParsePrefix(text); err != nil {
				problems = append(problems, rejection(ingest.ReasonMalformed, "spec.traffic.%s has %.60q, which is not an IP range: write an address and a prefix length, for example 10.0.0.0/8 or 2001:db8::/32.", f.field, text))
			}
		}
	}
	for _, f := range []struct {
		field string
		ports []int
	}{
		{"outboundPortExclusionList", traffic.OutboundPortExclusionList},
		{"inboundPortExclusionList", traffic.InboundPortExclusionList},
	} {
		for _, port := range f.ports {
			if port < 1 || port > 65535 {
				problems = append(problems, rejection(ingest.ReasonInvalidPort, "spec.traffic.%s has %d, which is not a port: write numbers from 1 to 65535.", f.field, port))
			}
		}
	}
	return problems
}
