package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Evaluate computes the conditions of an object. It only reads.
type Evaluate func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error)

// EvaluateRoutes evaluates kinds without references: they are in force as far as they are valid.
func EvaluateRoutes[E catalog.Entry](convert func(*unstructured.Unstructured) (E, []ingest.Problem)) Evaluate {
	return func(_ context.Context, _ client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		_, problems := convert(object)
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}, nil
	}
}

// EvaluateUnenforced evaluates kinds that the mesh accepts but does not enforce.
func EvaluateUnenforced(validate func(*unstructured.Unstructured) []ingest.Problem) Evaluate {
	return func(_ context.Context, _ client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, validate(object))}, nil
	}
}

// EvaluateTarget evaluates a TrafficTarget, and the accounts and route objects that it refers to.
func EvaluateTarget(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
	target, problems := ingest.TrafficTarget(object)
	if target == nil {
		return []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, problems)}, nil
	}
	beyond, err := servicesBeyondBound(ctx, reader, target)
	if err != nil {
		return nil, err
	}
	conditions := []metav1.Condition{condition(kinds.ConditionAccepted, kinds.ReasonAccepted, append(problems, beyond...))}
	missing, err := unresolvedTarget(ctx, reader, target)
	if err != nil {
		return nil, err
	}
	return append(conditions, condition(kinds.ConditionResolvedRefs, kinds.ReasonResolvedRefs, missing)), nil
}

// unresolvedRouteGroups returns the HTTPRouteGroups of a namespace that do not exist.
func unresolvedRouteGroups(ctx context.Context, reader client.Reader, namespace string, groups []string) ([]ingest.Problem, error) {
	var missing []ingest.Problem
	for _, name := range groups {
		problems, err := unresolvedRoute(ctx, reader, namespace, catalog.TargetRule{Kind: catalog.KindHTTPRouteGroup, Name: name})
		if err != nil {
			return nil, err
		}
		missing = append(missing, problems...)
	}
	return missing, nil
}

func unresolvedRoute(ctx context.Context, reader client.Reader, namespace string, rule catalog.TargetRule) ([]ingest.Problem, error) {
	routes := map[catalog.Kind]schema.GroupVersionKind{
		catalog.KindHTTPRouteGroup: kinds.HTTPRouteGroup,
		catalog.KindTCPRoute:       kinds.TCPRoute,
	}
	object := kinds.Object(routes[rule.Kind])
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: rule.Name}, object)
	if apierrors.IsNotFound(err) {
		return []ingest.Problem{notFound("%s %s/%s does not exist, so the rule that refers to it grants nothing: create it, or correct the name.", rule.Kind, namespace, rule.Name)}, nil
	}
	if err != nil {
		return nil, err
	}
	if rule.Kind != catalog.KindHTTPRouteGroup || len(rule.Matches) == 0 {
		return nil, nil // parsing the expressions of a large group is expensive
	}
	group, _ := ingest.HTTPRouteGroup(object)
	if group == nil {
		return nil, nil
	}
	for _, name := range rule.Matches {
		if !slices.ContainsFunc(group.Matches, func(m catalog.HTTPMatch) bool { return m.Name == name }) {
			return []ingest.Problem{notFound(
				"HTTPRouteGroup %s/%s has no usable match named %q, so that part of the rule grants nothing: add the match, or correct the name.", namespace, rule.Name, name)}, nil
		}
	}
	return nil, nil
}

// disabledFeature returns a problem if a switch of the MeshConfig in a namespace disables the kind of objects.
func disabledFeature(ctx context.Context, reader client.Reader, namespace string, gvk schema.GroupVersionKind) ([]ingest.Problem, error) {
	kind, _ := kinds.Lookup(gvk.GroupKind())
	config := &configv1alpha2.MeshConfig{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.MeshConfig}, config); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if kind.Feature == nil || kind.Feature.Enabled(config.Spec.FeatureFlags) {
		return nil, nil
	}
	return []ingest.Problem{{Reason: kinds.ReasonDisabled, Message: fmt.Sprintf(
		"%s objects have an effect only while spec.featureFlags.%s of MeshConfig %s/%s is true: set it to true.", kind.Kind, kind.Feature.Field, namespace, names.MeshConfig)}}, nil
}

// unresolvedAccounts returns the accounts of a TrafficTarget that do not exist.
func unresolvedAccounts(ctx context.Context, reader client.Reader, target *catalog.TrafficTarget) ([]ingest.Problem, error) {
	var missing []ingest.Problem
	exists, err := accountExists(ctx, reader, target.Destination)
	if err != nil {
		return nil, err
	}
	if !exists {
		missing = append(missing, notFound("ServiceAccount %s of spec.destination does not exist, so the policy grants nothing: create it, or correct the name.", target.Destination))
	}
	sources, err := unresolvedSources(ctx, reader, target.Sources)
	return append(missing, sources...), err
}

// unresolvedSources returns the accounts of spec.sources that do not exist.
func unresolvedSources(ctx context.Context, reader client.Reader, sources []identity.ServiceAccount) ([]ingest.Problem, error) {
	var missing []ingest.Problem
	for _, source := range sources {
		exists, err := accountExists(ctx, reader, source)
		if err != nil {
			return nil, err
		}
		if !exists {
			missing = append(missing, notFound("ServiceAccount %s of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.", source))
		}
	}
	return missing, nil
}

func accountExists(ctx context.Context, reader client.Reader, account identity.ServiceAccount) (bool, error) {
	err := reader.Get(ctx, client.ObjectKey(account), &corev1.ServiceAccount{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// namingAccount returns a filter for the TrafficTargets and Egresses that name an account. It reads two fields only, because it runs for
// each of them in the cluster.
func namingAccount(account client.Object) func(*unstructured.Unstructured) bool {
	names := func(field any) bool {
		fields, _ := field.(map[string]any)
		return fields["name"] == account.GetName() && fields["namespace"] == account.GetNamespace()
	}
	return func(object *unstructured.Unstructured) bool {
		spec, _ := object.Object["spec"].(map[string]any)
		sources, _ := spec["sources"].([]any)
		return names(spec["destination"]) || slices.ContainsFunc(sources, names)
	}
}

// accountExistenceChanged returns a predicate for new and deleted accounts. The initial list needs no evaluation: the policies are in an initial list as well.
func accountExistenceChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return true },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
