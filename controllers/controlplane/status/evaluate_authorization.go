package status

import (
	"context"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// EvaluateAuthorization evaluates an ExternalAuthorization: its fields, conflicts with older ones, and the ExtensionService that it refers to.
// The namespace is that of the mesh.
func EvaluateAuthorization(namespace string) Evaluate {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		policy, problems := ingest.ExternalAuthorization(object)
		others, err := listEntries(ctx, reader, kinds.ExternalAuthorization, policy.Name.Namespace, ingest.ExternalAuthorization)
		if err != nil {
			return nil, err
		}
		problems = append(problems, authorizationConflicts(policy, others)...)
		effect := "requests get status 503"
		if policy.FailureModeAllow {
			effect = "no request is sent to it, and all are allowed"
		}
		_, missing, err := extensionService(ctx, reader, policy.Name.Namespace, namespace, policy.Service, effect)
		if err != nil {
			return nil, err
		}
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
	}
}

func authorizationConflicts(policy *catalog.ExternalAuthorizationPolicy, others []*catalog.ExternalAuthorizationPolicy) []ingest.Problem {
	older, found := oldestBefore(policy, others, func(other *catalog.ExternalAuthorizationPolicy) bool {
		return maps.Equal(other.Selector, policy.Selector)
	})
	if !found {
		return nil
	}
	return []ingest.Problem{conflict("ExternalAuthorization %s is older and selects the same pods, so this one has no effect: merge them into one.", older.Name)}
}
