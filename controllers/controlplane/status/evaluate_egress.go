package status

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// EvaluateEgress evaluates an Egress: its fields, the feature flag of the MeshConfig in namespace, conflicts with older Egresses, and the
// objects and hosts that it refers to. It reads Secrets with their own reader, because they are not in the cache.
func EvaluateEgress(namespace string, lookup HostLookup, secrets client.Reader) Evaluate {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		policy, problems := ingest.Egress(object)
		if policy == nil {
			return []metav1.Condition{unusedCondition(problems)}, nil
		}
		disabled, err := disabledFeature(ctx, reader, namespace, kinds.Egress)
		if err != nil {
			return nil, err
		}
		problems = append(problems, disabled...)
		policy, others, lost, err := asApplied(ctx, reader, policy)
		if err != nil {
			return nil, err
		}
		problems = append(problems, lost...)
		missing, err := unresolvedEgress(ctx, reader, policy)
		if err != nil {
			return nil, err
		}
		unavailable, err := unresolvedGateway(ctx, reader, secrets, namespace, policy)
		if err != nil {
			return nil, err
		}
		missing = append(append(missing, unavailable...), unresolvedHosts(ctx, lookup, policy)...)
		problems = append(problems, egressConflicts(policy, others)...)
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
	}
}

// egressConflicts returns the ports on which an older Egress of the same client excludes the protocol of this one.
func egressConflicts(policy *catalog.Egress, others []*catalog.Egress) []ingest.Problem {
	var problems []ingest.Problem
	for _, port := range policy.Ports {
		older, found := oldestBefore(policy, others, func(other *catalog.Egress) bool { return other.Excludes(port) && other.SharesSource(policy) })
		if found {
			problems = append(problems, conflict(
				"Egress %s is older and has port %d with a protocol that excludes %s, so this one has no effect on that port for their common sources: use one protocol.", older.Name, port.Number, port.Protocol))
		}
	}
	return append(problems, gatewayConflicts(policy, others)...)
}

// unresolvedEgress returns the references of an Egress to what does not exist.
func unresolvedEgress(ctx context.Context, reader client.Reader, policy *catalog.Egress) ([]ingest.Problem, error) {
	var missing []ingest.Problem
	for _, source := range policy.Sources {
		exists, err := accountExists(ctx, reader, source)
		if err != nil {
			return nil, err
		}
		if !exists {
			missing = append(missing, notFound("ServiceAccount %s of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.", source))
		}
	}
	groups, err := unresolvedRouteGroups(ctx, reader, policy.Name.Namespace, policy.RouteGroups)
	if missing = append(missing, groups...); err != nil || policy.Setting == "" {
		return missing, err
	}
	err = reader.Get(ctx, client.ObjectKey{Namespace: policy.Name.Namespace, Name: policy.Setting}, kinds.Object(kinds.UpstreamTrafficSetting))
	if apierrors.IsNotFound(err) {
		return append(missing, notFound("UpstreamTrafficSetting %s/%s does not exist, so connections have no limits: create it, or correct the name.", policy.Name.Namespace, policy.Setting)), nil
	}
	return missing, err
}
