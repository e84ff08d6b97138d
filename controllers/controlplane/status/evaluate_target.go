package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
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

// accountChanges returns a predicate for new and deleted accounts. The initial list needs no evaluation: the policies are in an initial list as well.
func accountChanges() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return true },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// servicesBeyondBound reports the Services of a TrafficTarget that its sources in other namespaces do not receive, because
// the namespace offers them too many. A namespace with few ports costs one list of its Services.
func servicesBeyondBound(ctx context.Context, reader client.Reader, target *catalog.TrafficTarget) ([]ingest.Problem, error) {
	namespace := target.Name.Namespace
	foreign := slices.DeleteFunc(slices.Clone(target.Sources), func(source identity.ServiceAccount) bool { return source.Namespace == namespace })
	if len(foreign) == 0 {
		return nil, nil
	}
	var services corev1.ServiceList
	if err := reader.List(ctx, &services, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	ports := 0
	for i := range services.Items {
		ports += len(services.Items[i].Spec.Ports)
	}
	if ports <= authz.MaxForeignPorts {
		return nil, nil
	}
	view, err := offeredBy(ctx, reader, namespace, services.Items)
	if err != nil {
		return nil, err
	}
	return boundProblems(view, target, foreign), nil
}

// offeredBy returns a catalog view with the pods, Services and TrafficTargets of one namespace.
func offeredBy(ctx context.Context, reader client.Reader, namespace string, services []corev1.Service) (*catalog.View, error) {
	changes := []catalog.Change{catalog.Set(&catalog.Namespace{Name: namespace, Monitored: true})}
	for i := range services {
		if service, _ := ingest.Service(&services[i]); service != nil {
			changes = append(changes, catalog.Set(service))
		}
	}
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		changes = append(changes, catalog.Set(ingest.Pod(&pods.Items[i])))
	}
	targets, err := listEntries(ctx, reader, kinds.TrafficTarget, namespace, ingest.TrafficTarget)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		changes = append(changes, catalog.Set(target))
	}
	c := catalog.New()
	c.Apply(changes)
	return c.View(), nil
}

// boundProblems returns a problem for each source that does not receive all Services of the target.
func boundProblems(v *catalog.View, target *catalog.TrafficTarget, sources []identity.ServiceAccount) []ingest.Problem {
	var problems []ingest.Problem
	for _, source := range sources {
		offered := authz.GrantedServices(v, source)
		missing := slices.DeleteFunc(v.ServicesOf(target.Destination), func(service catalog.Name) bool { return slices.Contains(offered, service) })
		if len(missing) > 0 {
			problems = append(problems, ingest.Problem{Reason: kinds.ReasonTooManyServices, Message: fmt.Sprintf(
				"The TrafficTargets of namespace %s offer more than %d ports of Services to %s, so its sidecars lack %d of the Services of %s, such as %s: grant it access to fewer service accounts, or delete Services.",
				target.Name.Namespace, authz.MaxForeignPorts, source, len(missing), target.Destination, missing[0])})
		}
	}
	return problems
}
