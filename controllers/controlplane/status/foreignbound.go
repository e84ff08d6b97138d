package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// servicesBeyondBound reports the Services of a TrafficTarget that its sources do not receive, because
// the namespace offers them too many. A namespace with few ports and pods costs three lists.
func servicesBeyondBound(ctx context.Context, reader client.Reader, target *catalog.TrafficTarget) ([]ingest.Problem, error) {
	namespace := target.Name.Namespace
	isForeign := func(source identity.ServiceAccount) bool { return source.Namespace != namespace }
	var services corev1.ServiceList
	if err := reader.List(ctx, &services, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	splits, err := listEntries(ctx, reader, kinds.TrafficSplit, namespace, ingest.TrafficSplit)
	if err != nil || fitsAnyway(services.Items, len(pods.Items), splits, slices.ContainsFunc(target.Sources, isForeign)) {
		return nil, err
	}
	targets, err := listEntries(ctx, reader, kinds.TrafficTarget, namespace, ingest.TrafficTarget)
	if err != nil {
		return nil, err
	}
	return boundProblems(offeredBy(namespace, services.Items, pods.Items, splits, targets), target), nil
}

// fitsAnyway reports whether a namespace is within the bounds even if each of its Services selects all its pods.
func fitsAnyway(services []corev1.Service, pods int, splits []*catalog.TrafficSplit, isForeign bool) bool {
	ports, most, backends := 0, 0, 0
	for i := range services {
		ports += len(services[i].Spec.Ports)
		most = max(most, len(services[i].Spec.Ports))
	}
	for _, split := range splits {
		backends += most * len(split.Backends)
	}
	if !isForeign {
		return ports <= authz.MaxOwnPorts && backends <= authz.MaxOwnBackends
	}
	return ports <= authz.MaxForeignPorts && backends <= authz.MaxForeignBackends && (ports+backends)*2*pods <= authz.MaxForeignEndpoints
}

// offeredBy returns a catalog view with the pods, Services, TrafficSplits and TrafficTargets of one namespace.
func offeredBy(namespace string, services []corev1.Service, pods []corev1.Pod, splits []*catalog.TrafficSplit, targets []*catalog.TrafficTarget) *catalog.View {
	changes := []catalog.Change{catalog.Set(&catalog.Namespace{Name: namespace, Monitored: true})}
	for i := range services {
		if service, _ := ingest.Service(&services[i]); service != nil {
			changes = append(changes, catalog.Set(service))
		}
	}
	for i := range pods {
		changes = append(changes, catalog.Set(ingest.Pod(&pods[i])))
	}
	for _, split := range splits {
		changes = append(changes, catalog.Set(split))
	}
	for _, target := range targets {
		changes = append(changes, catalog.Set(target))
	}
	c := catalog.New()
	c.Apply(changes)
	return c.View()
}

// boundProblems returns a problem for each source that does not receive all Services of the target.
func boundProblems(v *catalog.View, target *catalog.TrafficTarget) []ingest.Problem {
	var problems []ingest.Problem
	for _, source := range target.Sources {
		offered := authz.GrantedServices(v, source)
		missing := slices.DeleteFunc(v.ServicesOf(target.Destination), func(service catalog.Name) bool { return slices.Contains(offered, service) })
		if len(missing) > 0 {
			problems = append(problems, ingest.Problem{Reason: kinds.ReasonTooManyServices, Message: fmt.Sprintf(
				"The TrafficTargets of namespace %s offer more than %s of Services to %s, so its sidecars lack %d of the Services of %s, such as %s: grant it access to fewer service accounts, or delete Services or ports.",
				target.Name.Namespace, authz.OfferBound(source, target.Name.Namespace), source, len(missing), target.Destination, missing[0])})
		}
	}
	return problems
}
