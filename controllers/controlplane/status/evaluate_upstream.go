package status

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// EvaluateSetting evaluates an UpstreamTrafficSetting: its fields, older ones for the same host, its Service, and whether
// an HTTPRouteGroup has its routes.
func EvaluateSetting(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	setting, problems := ingest.UpstreamTrafficSetting(object)
	if setting == nil {
		return []metav1.Condition{unusedCondition(problems)}, nil
	}
	if setting.Service == (catalog.Name{}) {
		return outsideSetting(ctx, reader, setting, problems)
	}
	others, err := listEntries(ctx, reader, kinds.UpstreamTrafficSetting, setting.Name.Namespace, ingest.UpstreamTrafficSetting)
	if err != nil {
		return nil, err
	}
	problems = append(problems, settingConflicts(setting, others)...)
	unmatched, err := unmatchedRoutes(ctx, reader, setting)
	if err != nil {
		return nil, err
	}
	return settingConditions(ctx, reader, setting, append(problems, unmatched...))
}

// outsideSetting evaluates the setting of a host outside the mesh: an Egress must name it.
func outsideSetting(ctx context.Context, reader client.Reader, setting *catalog.UpstreamTrafficSetting, problems []ingest.Problem) ([]metav1.Condition, error) {
	policies, err := listEntries(ctx, reader, kinds.Egress, setting.Name.Namespace, ingest.Egress)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(policies, func(e *catalog.Egress) bool { return e.Setting == setting.Name.Name }) {
		return []metav1.Condition{unusedCondition(problems)}, nil
	}
	problems = slices.DeleteFunc(problems, func(p ingest.Problem) bool { return p.Reason == ingest.ReasonNotUsed })
	if setting.ConnectionRate != nil || setting.RequestRate != nil || len(setting.Routes) > 0 || setting.HealthCheck != nil ||
		setting.GlobalConnections != nil || setting.GlobalRequests != nil {
		problems = append(problems, ingest.Problem{Reason: ingest.ReasonNotUsed, Warning: true, Message: "Rate limits and health checks have no effect on hosts outside the mesh: only spec.connectionSettings and spec.outlierDetection apply."})
	}
	return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, nil)}, nil
}

// EvaluateBackpressure evaluates a Backpressure: its fields, and whether another setting has precedence for its Service.
func EvaluateBackpressure(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	setting, problems := ingest.Backpressure(object)
	if setting == nil {
		return []metav1.Condition{unusedCondition(problems)}, nil
	}
	newer, err := listEntries(ctx, reader, kinds.UpstreamTrafficSetting, setting.Name.Namespace, ingest.UpstreamTrafficSetting)
	if err != nil {
		return nil, err
	}
	others, err := listEntries(ctx, reader, kinds.Backpressure, setting.Name.Namespace, ingest.Backpressure)
	if err != nil {
		return nil, err
	}
	problems = append(problems, backpressureConflicts(setting, newer, others)...)
	return settingConditions(ctx, reader, setting, problems)
}

// unusedCondition returns the condition of an object that is not part of the mesh, either invalid or without effect.
func unusedCondition(problems []ingest.Problem) metav1.Condition {
	result := condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)
	result.Status = metav1.ConditionFalse
	return result
}

func settingConflicts(setting *catalog.UpstreamTrafficSetting, others []*catalog.UpstreamTrafficSetting) []ingest.Problem {
	older, found := oldestBefore(setting, others, func(other *catalog.UpstreamTrafficSetting) bool { return other.Service == setting.Service })
	if !found || setting.Service == (catalog.Name{}) {
		return nil
	}
	return []ingest.Problem{conflict(
		"%s %s is older and already configures Service %s, so this one has no effect: merge them into one.", older.Kind, older.Name, setting.Service)}
}

func settingConditions(ctx context.Context, reader client.Reader, setting *catalog.UpstreamTrafficSetting, problems []ingest.Problem) ([]metav1.Condition, error) {
	missing, err := unresolvedService(ctx, reader, setting.Service)
	if err != nil {
		return nil, err
	}
	return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
}

// unresolvedService returns a problem if the Service of a setting does not exist.
func unresolvedService(ctx context.Context, reader client.Reader, name catalog.Name) ([]ingest.Problem, error) {
	found, err := getService(ctx, reader, name)
	if err != nil || found != nil {
		return nil, err
	}
	return []ingest.Problem{notFound("Service %s does not exist, so nothing is limited: create it, or correct the name.", name)}, nil
}

// everyPath is the path expression that matches all requests.
const everyPath = ".*"

// unmatchedRoutes returns the limits for a path that no HTTPRouteGroup has: no request can match them.
func unmatchedRoutes(ctx context.Context, reader client.Reader, setting *catalog.UpstreamTrafficSetting) ([]ingest.Problem, error) {
	if !slices.ContainsFunc(setting.Routes, func(r catalog.RouteRateLimit) bool { return r.Path != everyPath }) {
		return nil, nil
	}
	groups, err := listEntries(ctx, reader, kinds.HTTPRouteGroup, setting.Name.Namespace, ingest.HTTPRouteGroup)
	if err != nil {
		return nil, err
	}
	var problems []ingest.Problem
	for _, route := range setting.Routes {
		has := func(m catalog.HTTPMatch) bool { return m.PathRegex == route.Path }
		if route.Path != everyPath && !slices.ContainsFunc(groups, func(g *catalog.HTTPRouteGroup) bool { return slices.ContainsFunc(g.Matches, has) }) {
			problems = append(problems, ingest.Problem{Reason: kinds.ReasonRefNotFound, Message: fmt.Sprintf(
				"No HTTPRouteGroup of the namespace %s has exactly the pathRegex %q, so the limit of this path in spec.httpRoutes has no effect: use an existing one.", setting.Name.Namespace, route.Path)})
		}
	}
	return problems, nil
}
