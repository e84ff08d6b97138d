package kinds

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Workloads returns the kinds that every control plane requires.
func Workloads(mesh string) []Source {
	namespace := func(ns *corev1.Namespace) (*catalog.Namespace, []ingest.Problem) { return ingest.Namespace(ns, mesh) }
	return []Source{
		SourceOf(catalog.KindNamespace, &corev1.Namespace{}, namespace),
		SourceOf(catalog.KindNamespaceLabels, &corev1.Namespace{}, withoutProblems(ingest.NamespaceLabels)),
		SourceOf(catalog.KindServiceAccount, &corev1.ServiceAccount{}, withoutProblems(ingest.ServiceAccount)),
		SourceOf(catalog.KindPod, &corev1.Pod{}, withoutProblems(ingest.Pod)),
		SourceOf(catalog.KindService, &corev1.Service{}, ingest.Service),
		SourceOf(catalog.KindEndpointSlice, &discoveryv1.EndpointSlice{}, ingest.EndpointSlice),
	}
}

// withoutProblems adapts an ingest function of a kind whose objects are always valid.
func withoutProblems[T client.Object, E catalog.Entry](convert func(T) E) func(T) (E, []ingest.Problem) {
	return func(object T) (E, []ingest.Problem) { return convert(object), nil }
}
