package trafficmetrics

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

const (
	portName    = "https"
	port        = 8443
	servicePort = 443
	userID      = 65532
	// startPeriod and startTimeout are how often a starting server is probed, and for how long, in seconds.
	startPeriod, startTimeout = 2, 3600
	// caDir has caFile with the certificates of the Prometheus, and tokenDir the key token of the Secret, if it exists.
	caDir, caFile = "/etc/prometheus-ca", "ca.crt"
	tokenDir      = "/etc/prometheus-token"
)

var selector = map[string]string{names.AppLabel: Name}

// authorities has the certificates that verify an https address of the Prometheus.
func authorities(inputs component.Inputs) *corev1.ConfigMap {
	config := component.ConfigMap(inputs.Mesh, Name, map[string]string{})
	if bundle := prometheus.Settings(inputs.Mesh).CABundle; len(bundle) > 0 {
		config.Data[caFile] = string(bundle)
	}
	return config
}

// deployment has one pod: the APIService has the certificate of one server.
func deployment(inputs component.Inputs, config *corev1.ConfigMap) *appsv1.Deployment {
	secret := &corev1.SecretVolumeSource{SecretName: names.PrometheusTokenSecret, Optional: ptr.To(true), Items: []corev1.KeyToPath{{Key: "token", Path: "token"}}}
	strategy := appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	return component.Deployment(inputs.Mesh, Name, selector, strategy, corev1.PodSpec{
		ServiceAccountName: Name,
		SecurityContext:    component.PodSecurity(userID),
		Containers:         []corev1.Container{container(inputs.Mesh, inputs.Image(image(), managedSettings(inputs.Mesh).Image))},
		Volumes:            []corev1.Volume{component.ConfigMapVolume("ca", Name), {Name: "token", VolumeSource: corev1.VolumeSource{Secret: secret}}},
	}, config)
}

func container(mesh *v1alpha1.Mesh, image string) corev1.Container {
	settings := managedSettings(mesh)
	health := component.HTTPProbe(corev1.URISchemeHTTPS, portName, "/healthz")
	// The server accepts requests once the API server has answered. A restart would not make it answer.
	started := health.DeepCopy()
	started.PeriodSeconds, started.FailureThreshold = startPeriod, startTimeout/startPeriod
	return corev1.Container{
		Name: "traffic-metrics", Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{
			fmt.Sprintf("--address=:%d", port),
			fmt.Sprintf("--host=%s.%s.svc", Name, component.Namespace(mesh)),
			"--prometheus=" + prometheus.Address(mesh),
			"--prometheus-ca=" + caDir + "/" + caFile,
			"--prometheus-token=" + tokenDir + "/token",
		},
		Ports:        []corev1.ContainerPort{{Name: portName, ContainerPort: port, Protocol: corev1.ProtocolTCP}},
		Resources:    ptr.Deref(settings.Resources, defaultResources()),
		StartupProbe: started, ReadinessProbe: health, LivenessProbe: health,
		SecurityContext: component.ContainerSecurity(),
		VolumeMounts:    []corev1.VolumeMount{{Name: "ca", MountPath: caDir, ReadOnly: true}, {Name: "token", MountPath: tokenDir, ReadOnly: true}},
	}
}

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
