package kinds

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// CacheOptions reduces the objects of frequent kinds to the fields that ingest reads.
func CacheOptions() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:            {Transform: stripPod},
		&corev1.ServiceAccount{}: {Transform: stripMeta},
		&corev1.Namespace{}:      {Transform: stripNamespace},
	}
}

func stripPod(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		return ingest.StripPod(pod), nil
	}
	return obj, nil
}

func stripMeta(obj any) (any, error) {
	if object, ok := obj.(metav1.Object); ok {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return obj, nil
}

func stripNamespace(obj any) (any, error) {
	if ns, ok := obj.(*corev1.Namespace); ok {
		ns.ManagedFields = nil
		maps.DeleteFunc(ns.Annotations, func(key, _ string) bool {
			return key != names.PermissiveAnnotation && key != names.EgressGatewayAnnotation
		})
	}
	return obj, nil
}
