package trafficmetrics

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// Name is the name of the objects of the server.
const Name = "osm-traffic-metrics"

// APIServiceName is the name of the APIService.
const APIServiceName = "v1alpha1.metrics.smi-spec.io"

// imageName is the default image without its version.
const imageName = "openservicemesh/osm-traffic-metrics"

func settings(mesh *v1alpha1.Mesh) v1alpha1.TrafficMetricsComponent {
	return ptr.Deref(ptr.Deref(mesh.Spec.Observability, v1alpha1.ObservabilitySpec{}).TrafficMetrics, v1alpha1.TrafficMetricsComponent{})
}

func managedSettings(mesh *v1alpha1.Mesh) v1alpha1.ManagedTrafficMetrics {
	return ptr.Deref(settings(mesh).Managed, v1alpha1.ManagedTrafficMetrics{})
}

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.TrafficMetricsMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.TrafficMetricsDisabled)
}

// image is that of the operator's version.
func image() component.Image {
	return component.Image{
		Variable: "RELATED_IMAGE_TRAFFIC_METRICS", HelmKey: "trafficMetrics", Field: "spec.observability.trafficMetrics.managed.image",
		Reference: imageName + ":" + version.Version,
	}
}

func defaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
	}
}

func meta(inputs component.Inputs) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: component.Namespace(inputs.Mesh), Name: Name}
}
