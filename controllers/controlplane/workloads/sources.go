package workloads

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Sources are the kinds that a mesh's control plane cannot work without.
func Sources(mesh string) []controlplane.Source {
	namespace := func(ns *corev1.Namespace) (*catalog.Namespace, []ingest.Problem) { return ingest.Namespace(ns, mesh) }
	return []controlplane.Source{
		controlplane.SourceOf(catalog.KindNamespace, &corev1.Namespace{}, namespace),
		controlplane.SourceOf(catalog.KindServiceAccount, &corev1.ServiceAccount{}, ingest.ServiceAccount),
		controlplane.SourceOf(catalog.KindPod, &corev1.Pod{}, ingest.Pod),
		controlplane.SourceOf(catalog.KindService, &corev1.Service{}, ingest.Service),
		controlplane.SourceOf(catalog.KindEndpointSlice, &discoveryv1.EndpointSlice{}, ingest.EndpointSlice),
	}
}
