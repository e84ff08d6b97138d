package status

import (
	"context"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		missing, err := unresolvedExtension(namespace)(ctx, reader, policy)
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

// EvaluateTelemetry evaluates a Telemetry: its fields, conflicts with older ones, and the ExtensionService that it refers to. The namespace
// is that of the mesh.
func EvaluateTelemetry(namespace string) Evaluate {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		policy, problems := ingest.Telemetry(object)
		if policy == nil {
			return []metav1.Condition{unusedCondition(problems)}, nil
		}
		others, err := listEntries(ctx, reader, kinds.Telemetry, policy.Name.Namespace, ingest.Telemetry)
		if err != nil {
			return nil, err
		}
		problems = append(problems, telemetryConflicts(policy, others)...)
		missing, err := unresolvedCollector(ctx, reader, policy, namespace)
		if err != nil {
			return nil, err
		}
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems), condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)}, nil
	}
}

func telemetryConflicts(policy *catalog.Telemetry, others []*catalog.Telemetry) []ingest.Problem {
	older, found := oldestBefore(policy, others, func(other *catalog.Telemetry) bool { return maps.Equal(other.Selector, policy.Selector) })
	if !found {
		return nil
	}
	return []ingest.Problem{conflict("Telemetry %s is older and selects the same pods, so this one has no effect: merge them into one.", older.Name)}
}

// unresolvedCollector returns why logs are not exported; none if they are, or if the Telemetry exports none.
func unresolvedCollector(ctx context.Context, reader client.Reader, policy *catalog.Telemetry, namespace string) ([]ingest.Problem, error) {
	if policy.Export == (catalog.Name{}) {
		return nil, nil
	}
	service, problem, err := extensionService(ctx, reader, policy.Name.Namespace, namespace, policy.Export, "logs are not exported")
	switch {
	case err != nil || problem != nil:
		return problem, err
	case service.HTTP1:
		return []ingest.Problem{{Reason: ingest.ReasonUnknownProtocol, Message: "ExtensionService " + service.Name.String() +
			" has the protocol http, and logs are exported over gRPC, so they are lost: write the protocol h2c, and the port for OTLP over gRPC."}}, nil
	}
	return nil, nil
}

// extensionService returns the ExtensionService that a policy refers to, or a problem with the effect if it cannot be used.
func extensionService(
	ctx context.Context, reader client.Reader, policyNamespace, meshNamespace string, name catalog.Name, effect string,
) (*catalog.ExtensionService, []ingest.Problem, error) {
	if name.Namespace != policyNamespace && name.Namespace != meshNamespace {
		return nil, []ingest.Problem{{Reason: ingest.ReasonForeignNamespace, Message: "ExtensionService " + name.String() +
			" is in another namespace, so " + effect + ": create one in " + policyNamespace + ", or have one created in the namespace of the mesh, " + meshNamespace + "."}}, nil
	}
	object := kinds.Object(kinds.ExtensionService)
	err := reader.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, object)
	if apierrors.IsNotFound(err) {
		return nil, []ingest.Problem{notFound("ExtensionService %s does not exist, so %s: create it, or correct the reference.", name, effect)}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	service, problems := ingest.ExtensionService(object)
	if service == nil {
		return nil, []ingest.Problem{notFound("ExtensionService %s cannot be used, so %s. %s", name, effect, problems[0].Message)}, nil
	}
	return service, nil, nil
}

// usingExtension returns a filter for the objects that may refer to an ExtensionService: those of its namespace, and all if it is in the
// namespace of the mesh.
func usingExtension(namespace string) func(client.Object) func(*unstructured.Unstructured) bool {
	return func(service client.Object) func(*unstructured.Unstructured) bool {
		return func(u *unstructured.Unstructured) bool {
			return service.GetNamespace() == namespace || service.GetNamespace() == u.GetNamespace()
		}
	}
}
