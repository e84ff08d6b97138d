package status

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Judge says which conditions an object should have. It only reads.
type Judge func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error)

// JudgeRoutes judges kinds that refer to nothing: they are in force as far as they can be read.
func JudgeRoutes[E catalog.Entry](convert func(*unstructured.Unstructured) (E, []ingest.Problem)) Judge {
	return func(_ context.Context, _ client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		_, problems := convert(object)
		return []metav1.Condition{condition(Accepted, ReasonAccepted, problems)}, nil
	}
}

// JudgeUnenforced judges kinds that have no part in the mesh: they are accepted, and their authors told.
func JudgeUnenforced(judge func(*unstructured.Unstructured) []ingest.Problem) Judge {
	return func(_ context.Context, _ client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		return []metav1.Condition{condition(Accepted, ReasonAccepted, judge(object))}, nil
	}
}

// JudgeTarget judges a TrafficTarget: itself, and the route objects it refers to.
func JudgeTarget(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	target, problems := ingest.TrafficTarget(object)
	conditions := []metav1.Condition{condition(Accepted, ReasonAccepted, problems)}
	if target == nil {
		return conditions, nil
	}
	var missing []ingest.Problem
	for _, rule := range target.Rules {
		problem, err := missingRoute(ctx, reader, target.Name.Namespace, rule)
		if err != nil {
			return nil, err
		}
		if problem != nil {
			missing = append(missing, *problem)
		}
	}
	return append(conditions, condition(ResolvedRefs, ReasonResolvedRefs, missing)), nil
}

func missingRoute(ctx context.Context, reader client.Reader, namespace string, rule catalog.TargetRule) (*ingest.Problem, error) {
	kinds := map[catalog.Kind]schema.GroupVersionKind{
		catalog.KindHTTPRouteGroup: traffic.HTTPRouteGroup,
		catalog.KindTCPRoute:       traffic.TCPRoute,
	}
	object := traffic.Object(kinds[rule.Kind])
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: rule.Name}, object)
	if apierrors.IsNotFound(err) {
		return &ingest.Problem{Reason: ReasonRefNotFound, Message: fmt.Sprintf(
			"%s %s/%s does not exist, so the rule that refers to it grants nothing: create it, or correct the name.", rule.Kind, namespace, rule.Name)}, nil
	}
	if err != nil {
		return nil, err
	}
	group, _ := ingest.HTTPRouteGroup(object)
	if rule.Kind != catalog.KindHTTPRouteGroup || group == nil {
		return nil, nil
	}
	for _, name := range rule.Matches {
		if !slices.ContainsFunc(group.Matches, func(m catalog.HTTPMatch) bool { return m.Name == name }) {
			return &ingest.Problem{Reason: ReasonRefNotFound, Message: fmt.Sprintf(
				"HTTPRouteGroup %s/%s has no usable match named %q, so that part of the rule grants nothing: add the match, or correct the name.", namespace, rule.Name, name)}, nil
		}
	}
	return nil, nil
}
