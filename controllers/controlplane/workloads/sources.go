package workloads

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Sources returns the kinds that every control plane requires.
func Sources(mesh string) []controlplane.Source {
	namespace := func(ns *corev1.Namespace) (*catalog.Namespace, []ingest.Problem) { return ingest.Namespace(ns, mesh) }
	return []controlplane.Source{
		controlplane.SourceOf(catalog.KindNamespace, &corev1.Namespace{}, namespace),
		controlplane.SourceOf(catalog.KindNamespaceLabels, &corev1.Namespace{}, withoutProblems(ingest.NamespaceLabels)),
		controlplane.SourceOf(catalog.KindServiceAccount, &corev1.ServiceAccount{}, withoutProblems(ingest.ServiceAccount)),
		controlplane.SourceOf(catalog.KindPod, &corev1.Pod{}, withoutProblems(ingest.Pod)),
		controlplane.SourceOf(catalog.KindService, &corev1.Service{}, ingest.Service),
		controlplane.SourceOf(catalog.KindEndpointSlice, &discoveryv1.EndpointSlice{}, ingest.EndpointSlice),
	}
}

// withoutProblems adapts an ingest function of a kind whose objects are always valid.
func withoutProblems[T client.Object, E catalog.Entry](convert func(T) E) func(T) (E, []ingest.Problem) {
	return func(object T) (E, []ingest.Problem) { return convert(object), nil }
}
