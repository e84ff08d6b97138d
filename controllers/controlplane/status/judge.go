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

// JudgeSplit judges a TrafficSplit: itself, whether an older one has the same root, and whether its Services exist.
func JudgeSplit(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	split, problems := ingest.TrafficSplit(object)
	if split == nil {
		return []metav1.Condition{condition(Accepted, ReasonAccepted, problems)}, nil
	}
	older, err := olderSplit(ctx, reader, split)
	if err != nil {
		return nil, err
	}
	if older != nil {
		problems = append(problems, ingest.Problem{Reason: ReasonConflicted, Message: fmt.Sprintf(
			"TrafficSplit %s, which is older, already splits Service %s, so this one does nothing: delete one of them.", older.Name, split.Root)})
	}
	return []metav1.Condition{condition(Accepted, ReasonAccepted, problems)}, nil
}

// olderSplit is the split that counts instead of this one: the oldest with the same root, by name among equals.
func olderSplit(ctx context.Context, reader client.Reader, split *catalog.TrafficSplit) (*catalog.TrafficSplit, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(traffic.TrafficSplit)
	if err := reader.List(ctx, list, client.InNamespace(split.Name.Namespace)); err != nil {
		return nil, err
	}
	first := split
	for i := range list.Items {
		other, _ := ingest.TrafficSplit(&list.Items[i])
		if other == nil || other.Root != split.Root {
			continue
		}
		if age := other.Created.Compare(first.Created); age < 0 || age == 0 && other.Name.Compare(first.Name) < 0 {
			first = other
		}
	}
	if first.Name == split.Name {
		return nil, nil
	}
	return first, nil
}
