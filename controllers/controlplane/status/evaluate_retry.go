package status

import (
	"context"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// EvaluateRetry evaluates a Retry: its fields, the feature flag of the MeshConfig in namespace, and conflicts with older
// Retries.
func EvaluateRetry(namespace string) Evaluate {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		retry, problems := ingest.Retry(object)
		if retry == nil {
			return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}, nil
		}
		disabled, err := disabledFeature(ctx, reader, namespace, kinds.Retry)
		if err != nil {
			return nil, err
		}
		problems = append(problems, disabled...)
		others, err := listMatching(ctx, reader, kinds.Retry, object.GetNamespace(), sameSource(object), ingest.Retry)
		if err != nil {
			return nil, err
		}
		problems = append(problems, retryConflicts(retry, others)...)
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}, nil
	}
}

// retryConflicts returns the destinations for which an older Retry of the same client has precedence.
func retryConflicts(retry *catalog.Retry, others []*catalog.Retry) []ingest.Problem {
	var problems []ingest.Problem
	for _, destination := range retry.Destinations {
		older, found := oldestBefore(retry, others, func(other *catalog.Retry) bool {
			return other.Source == retry.Source && slices.Contains(other.Destinations, destination)
		})
		if found {
			problems = append(problems, conflict(
				"Retry %s is older and already configures retries from service account %s to Service %s, so this one has no effect there: remove the Service from one of them.", older.Name, retry.Source, destination))
		}
	}
	return problems
}

// sameSource returns a filter for Retries with the same source.
func sameSource(object client.Object) func(*unstructured.Unstructured) bool {
	source := func(object client.Object) any {
		u, ok := object.(*unstructured.Unstructured)
		if !ok {
			return nil
		}
		field, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "source")
		return field
	}
	mine := source(object)
	return func(other *unstructured.Unstructured) bool { return reflect.DeepEqual(source(other), mine) }
}

// unresolvedRetry returns the destinations of a Retry that do not exist.
func unresolvedRetry(ctx context.Context, reader client.Reader, retry *catalog.Retry) ([]ingest.Problem, error) {
	var missing []ingest.Problem
	for _, name := range retry.Destinations {
		service, err := getService(ctx, reader, name)
		if err != nil {
			return nil, err
		}
		if service == nil {
			missing = append(missing, notFound("Service %s of spec.destinations does not exist, so requests to it are not repeated: create it, or correct the name.", name))
		}
	}
	return missing, nil
}
