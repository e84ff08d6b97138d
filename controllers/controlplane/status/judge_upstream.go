package status

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// JudgeSetting judges an UpstreamTrafficSetting: itself, whether an older one has the same host, whether its Service exists, and
// whether its routes are those of an HTTPRouteGroup.
func JudgeSetting(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	setting, problems := ingest.UpstreamTrafficSetting(object)
	if setting == nil {
		return []metav1.Condition{unused(problems)}, nil
	}
	others, err := entries(ctx, reader, traffic.UpstreamTrafficSetting, setting.Name.Namespace, ingest.UpstreamTrafficSetting)
	if err != nil {
		return nil, err
	}
	problems = append(problems, besideSettings(setting, others)...)
	unmatched, err := unmatchedRoutes(ctx, reader, setting)
	if err != nil {
		return nil, err
	}
	return settingConditions(ctx, reader, setting, append(problems, unmatched...))
}

// JudgeBackpressure judges a Backpressure: itself, and whether an UpstreamTrafficSetting or an older one speaks about its Service.
func JudgeBackpressure(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	setting, problems := ingest.Backpressure(object)
	if setting == nil {
		return []metav1.Condition{unused(problems)}, nil
	}
	newer, err := entries(ctx, reader, traffic.UpstreamTrafficSetting, setting.Name.Namespace, ingest.UpstreamTrafficSetting)
	if err != nil {
		return nil, err
	}
	others, err := entries(ctx, reader, traffic.Backpressure, setting.Name.Namespace, ingest.Backpressure)
	if err != nil {
		return nil, err
	}
	problems = append(problems, besideBackpressure(setting, newer, others)...)
	return settingConditions(ctx, reader, setting, problems)
}

// unused is the verdict on an object that has no place in the mesh, whether it is wrong or only without use.
func unused(problems []ingest.Problem) metav1.Condition {
	result := condition(Accepted, ReasonAccepted, problems)
	result.Status = metav1.ConditionFalse
	return result
}

func besideSettings(setting *catalog.UpstreamTrafficSetting, others []*catalog.UpstreamTrafficSetting) []ingest.Problem {
	older, found := olderThan(setting, others, func(other *catalog.UpstreamTrafficSetting) bool { return other.Service == setting.Service })
	if !found {
		return nil
	}
	return []ingest.Problem{conflict(
		"%s %s, which is older, is already about Service %s, so this one does nothing: write everything into one of them.", older.Kind, older.Name, setting.Service)}
}

func settingConditions(ctx context.Context, reader client.Reader, setting *catalog.UpstreamTrafficSetting, problems []ingest.Problem) ([]metav1.Condition, error) {
	found, err := service(ctx, reader, setting.Service)
	if err != nil {
		return nil, err
	}
	var missing []ingest.Problem
	if found == nil {
		missing = append(missing, notFound("Service %s does not exist, so nothing is limited: create it, or correct the name.", setting.Service))
	}
	return []metav1.Condition{condition(Accepted, ReasonAccepted, problems), condition(ResolvedRefs, ReasonResolvedRefs, missing)}, nil
}

// everyPath is the path expression of requests that no policy tells apart.
const everyPath = ".*"

// unmatchedRoutes warns of limits whose path no HTTPRouteGroup has: no request is ever of such a route.
func unmatchedRoutes(ctx context.Context, reader client.Reader, setting *catalog.UpstreamTrafficSetting) ([]ingest.Problem, error) {
	if !slices.ContainsFunc(setting.Routes, func(r catalog.RouteRateLimit) bool { return r.Path != everyPath }) {
		return nil, nil
	}
	groups, err := entries(ctx, reader, traffic.HTTPRouteGroup, setting.Name.Namespace, ingest.HTTPRouteGroup)
	if err != nil {
		return nil, err
	}
	var problems []ingest.Problem
	for _, route := range setting.Routes {
		has := func(m catalog.HTTPMatch) bool { return m.PathRegex == route.Path }
		if route.Path != everyPath && !slices.ContainsFunc(groups, func(g *catalog.HTTPRouteGroup) bool { return slices.ContainsFunc(g.Matches, has) }) {
			problems = append(problems, ingest.Problem{Reason: ReasonRefNotFound, Warning: true, Message: fmt.Sprintf(
				"No HTTPRouteGroup of the namespace %s has the pathRegex %q, letter by letter, so the limit of this path in spec.httpRoutes acts on nothing: write one that exists.", setting.Name.Namespace, route.Path)})
		}
	}
	return problems, nil
}
