package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// EvaluateSplit evaluates a TrafficSplit: its fields, conflicts with other splits, and its references.
func EvaluateSplit(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	split, problems := ingest.TrafficSplit(object)
	if split == nil {
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}, nil
	}
	others, err := listEntries(ctx, reader, kinds.TrafficSplit, split.Name.Namespace, ingest.TrafficSplit)
	if err != nil {
		return nil, err
	}
	missing, usable, err := unresolvedSplitRefs(ctx, reader, split)
	if err != nil {
		return nil, err
	}
	replaced, everywhere, err := replacedSplit(ctx, reader, split)
	if err != nil {
		return nil, err
	}
	if everywhere {
		accepted := condition(kinds.ConditionAccepted, kinds.ReasonAccepted, append(problems, replaced...))
		return []metav1.Condition{accepted, condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
	}
	problems = append(problems, replaced...)
	if !usable {
		problems = append(problems, ingest.Problem{Reason: kinds.ReasonNoUsableBackend, Message: fmt.Sprintf(
			"No backend can receive requests, so all requests to Service %s that this split selects fail: correct a backend with a weight above 0, or delete the split.", split.Root)})
	}
	problems = append(problems, splitConflicts(split, others)...)
	return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
}

// splitConflicts returns the conflicts of a split with others. Splits with matches do not conflict; the oldest has precedence.
func splitConflicts(split *catalog.TrafficSplit, others []*catalog.TrafficSplit) []ingest.Problem {
	var problems []ingest.Problem
	older, found := oldestBefore(split, others, func(other *catalog.TrafficSplit) bool {
		return other.Root == split.Root && len(other.Matches) == 0 && len(split.Matches) == 0
	})
	if found {
		problems = append(problems, conflict("TrafficSplit %s is older and already splits Service %s, so this one has no effect: delete one of them.", older.Name, split.Root))
	}
	for _, backend := range split.Backends {
		i := slices.IndexFunc(others, func(other *catalog.TrafficSplit) bool { return other.Root == backend.Service })
		if i >= 0 && backend.Service != split.Root {
			problems = append(problems, ingest.Problem{Reason: kinds.ReasonNotFollowed, Warning: true, Message: fmt.Sprintf(
				"Service %s is also split by TrafficSplit %s, which does not apply to this backend: the splits of backends are not followed.", backend.Service, others[i].Name)})
		}
	}
	return problems
}

// unresolvedSplitRefs returns the groups and Services of a split that do not exist or have no common port. usable is false if the root
// exists and no backend with a weight is usable.
func unresolvedSplitRefs(ctx context.Context, reader client.Reader, split *catalog.TrafficSplit) (missing []ingest.Problem, usable bool, err error) {
	for _, group := range split.Matches {
		err := reader.Get(ctx, client.ObjectKey{Namespace: split.Name.Namespace, Name: group}, kinds.Object(kinds.HTTPRouteGroup))
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, false, err
		}
		if err != nil {
			missing = append(missing, notFound("HTTPRouteGroup %s/%s does not exist, so it selects no requests: create it, or correct the name.", split.Name.Namespace, group))
		}
	}
	root, err := getService(ctx, reader, split.Root)
	if err != nil {
		return nil, false, err
	}
	if root == nil {
		missing = append(missing, notFound("Service %s does not exist, so no requests are split: create it, or correct spec.service.", split.Root))
	}
	unresolved, usable, err := unresolvedBackends(ctx, reader, split, root)
	return append(missing, unresolved...), usable || root == nil, err
}

// unresolvedBackends returns the backends that do not exist or have no port of the root. root is nil if it does not exist. usable is true
// if another backend with a weight exists.
func unresolvedBackends(ctx context.Context, reader client.Reader, split *catalog.TrafficSplit, root *corev1.Service) (missing []ingest.Problem, usable bool, err error) {
	services := make([]*corev1.Service, len(split.Backends))
	for i, backend := range split.Backends {
		if services[i], err = getService(ctx, reader, backend.Service); err != nil {
			return nil, false, err
		}
		resolved := services[i] != nil && (root == nil || hasCommonPort(root, services[i]))
		usable = usable || resolved && backend.Weight > 0
	}
	consequence := "it gets no requests"
	if usable {
		consequence = "the other backends take its share"
	}
	for i, backend := range split.Backends {
		switch {
		case services[i] == nil:
			missing = append(missing, notFound("Service %s does not exist, so %s: create it, or correct the name.", backend.Service, consequence))
		case root != nil && !hasCommonPort(root, services[i]):
			missing = append(missing, notFound("Service %s has none of the ports of Service %s, so %s: give it a port of the same number.", backend.Service, split.Root, consequence))
		}
	}
	return missing, usable, nil
}

func notFound(format string, args ...any) ingest.Problem {
	return ingest.Problem{Reason: kinds.ReasonRefNotFound, Message: fmt.Sprintf(format, args...)}
}

// getService returns a Service, or nil if it does not exist.
func getService(ctx context.Context, reader client.Reader, name catalog.Name) (*corev1.Service, error) {
	found := &corev1.Service{}
	err := reader.Get(ctx, client.ObjectKey(name), found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return found, err
}

func hasCommonPort(a, b *corev1.Service) bool {
	return slices.ContainsFunc(a.Spec.Ports, func(port corev1.ServicePort) bool {
		return slices.ContainsFunc(b.Spec.Ports, func(other corev1.ServicePort) bool { return other.Port == port.Port })
	})
}
