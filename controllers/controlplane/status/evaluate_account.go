package status

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

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
	for _, source := range target.Sources {
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

// accountChanges returns a predicate for new and deleted accounts. The initial list needs no evaluation: the policies are in an initial list as well.
func accountChanges() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return true },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
